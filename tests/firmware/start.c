/* Reset of a Cortex-M4: vectors, FPU, memory, main. Faults end the emulation with their own number. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[], stack_top[];
extern void initialise_monitor_handles(void);
extern int main(void);
void reset(void);
void SysTick_Handler(void) __attribute__((weak)); /* where a program uses the timer */

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define CCR REGISTER(0xE000ED14)   /* Armv7-M ARM, B3.2.8 */
#define CPACR REGISTER(0xE000ED88) /* B3.2.20 */

static void fault(void) { _Exit(3); }

void reset(void)
{
    CPACR |= 0xFU << 20; /* coprocessors 10 and 11: the FPU */
    CCR |= 1U << 4;      /* trap divisions of integers by zero */
    __asm volatile("dsb\n\tisb");
    const uint32_t *from = data_load;
    for (uint32_t *to = data_start; to < data_end;) *to++ = *from++;
    for (uint32_t *to = bss_start; to < bss_end;) *to++ = 0;
    initialise_monitor_handles();
    const int status = main();
    fflush(stdout);
    _Exit(status);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (const void *)(uintptr_t)reset, (const void *)(uintptr_t)fault, (const void *)(uintptr_t)fault,
    (const void *)(uintptr_t)fault, (const void *)(uintptr_t)fault, (const void *)(uintptr_t)fault,
    [15] = (const void *)(uintptr_t)SysTick_Handler,
};
