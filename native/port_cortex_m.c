/* The port of calibrate.c to Cortex-M: SysTick counts the processor's cycles, its interrupt their wraps; an Arm CMSDK UART
 * takes the lines. On another chip give selvedge_put and start_uart its own UART, and SYSTEM_HZ its clock.
 *
 * The vector table must name SysTick_Handler, as every vendor's start-up code does. */
#include "calibrate.h"

#ifndef SYSTEM_HZ
#define SYSTEM_HZ 25000000U /* what SysTick counts */
#endif
#ifndef UART
#define UART 0x40004000U /* of the MPS2 boards; Arm DDI 0479, section 4.3 */
#endif

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define SYST_CSR REGISTER(0xE000E010) /* Armv7-M ARM, B3.3 */
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define WRAP 0x1000000U

void SysTick_Handler(void);
int main(void);

static volatile uint32_t wraps;

void SysTick_Handler(void) { wraps++; }

uint32_t selvedge_ticks(void)
{
    uint32_t before, count;
    do {
        before = wraps;
        count = SYST_CVR;
    } while (before != wraps);
    return before * WRAP + (WRAP - 1 - count);
}

uint32_t selvedge_hz(void) { return SYSTEM_HZ; }

static void start_uart(void)
{
    REGISTER(UART + 16) = SYSTEM_HZ / 115200U; /* BAUDDIV */
    REGISTER(UART + 8) = 1;                    /* CTRL: transmit */
}

void selvedge_put(char c)
{
    while (REGISTER(UART + 4) & 1U) {} /* STATE: the transmit buffer is full */
    REGISTER(UART) = (uint32_t)(unsigned char)c;
}

int main(void)
{
    SYST_RVR = WRAP - 1;
    SYST_CVR = 0;
    SYST_CSR = 7; /* the processor's clock, interrupt, on */
    start_uart();
    for (;;) selvedge_calibrate(1, 3); /* the host may begin to listen at any time */
}
