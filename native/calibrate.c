/* Times every kernel of an emitted plan and prints what each took, in lines that carry their own checksum.
 *
 * The plan comes by way of calibrate_plan.h, which is generated beside this file; clock and output by way of a port:
 * port_posix.c, port_cortex_m.c, or your own three functions.
 *
 *   selvedge-calibrate 1 DIGEST HZ OVERHEAD PROGRAMS KERNELS   clock ticks a second, ticks of an empty measurement
 *   p PROGRAM TICKS                                            the whole program, nothing measured inside
 *   k PROGRAM KERNEL TICKS                                     the kernel that runs as number KERNEL, the least of all runs
 *   end LINES
 */
#include "calibrate.h"
#include "calibrate_plan.h"

static PLAN(context) context;
static uint32_t best[CALIBRATE_KERNELS], whole[CALIBRATE_PROGRAMS], started, lines;
static int32_t at;
static uint16_t crc;

static void put(char c)
{
    crc ^= (uint16_t)((uint16_t)(unsigned char)c << 8); /* CRC-16/CCITT-FALSE */
    for (int i = 0; i < 8; i++) crc = (uint16_t)(((unsigned)crc << 1) ^ ((crc & 0x8000U) ? 0x1021U : 0U));
    selvedge_put(c);
}

static void put_text(const char *text)
{
    while (*text) put(*text++);
}

static void put_number(uint32_t value)
{
    char digits[10];
    int n = 0;
    put(' ');
    do digits[n++] = (char)('0' + value % 10); while ((value /= 10) > 0);
    while (n > 0) put(digits[--n]);
}

static void begin(const char *kind)
{
    crc = 0xFFFF;
    put_text(kind);
}

static void finish(void)
{
    const uint16_t sum = crc;
    selvedge_put('*');
    for (int shift = 12; shift >= 0; shift -= 4) selvedge_put("0123456789abcdef"[(sum >> shift) & 15]);
    selvedge_put('\n');
    lines++;
}

/* Called before (event) and after (-1 - event) each kernel. */
static void hook(int32_t program, int32_t event)
{
    (void)program;
    if (event >= 0) {
        started = selvedge_ticks();
        return;
    }
    const uint32_t took = selvedge_ticks() - started;
    if (took < best[at]) best[at] = took;
    at++;
}

static uint32_t overhead(void)
{
    void (*volatile call)(int32_t, int32_t) = hook;
    uint32_t least = UINT32_MAX;
    for (int i = 0; i < 64; i++) {
        at = 0, best[0] = UINT32_MAX;
        call(0, 0);
        call(0, -1);
        if (best[0] < least) least = best[0];
    }
    return least;
}

/* One run of program p, whose first kernel is number `first`, each kernel timed. */
static int32_t timed(int32_t p, int32_t first)
{
    at = first;
    context.hook = hook;
    calibrate_fill(&context, p); /* a program may write over its inputs */
    return calibrate_call(&context, p);
}

/* The status of the first program that fails. */
static int32_t measure(int32_t blocks, int32_t runs)
{
    for (int32_t i = 0; i < CALIBRATE_KERNELS; i++) best[i] = UINT32_MAX;
    for (int32_t i = 0; i < CALIBRATE_PROGRAMS; i++) whole[i] = UINT32_MAX;
    for (int32_t block = 0; block < blocks; block++) {
        int32_t first = 0;
        for (int32_t p = 0; p < CALIBRATE_PROGRAMS; p++) {
            for (int32_t run = -1; run < runs; run++) { /* the first warms the caches */
                context.hook = 0;
                calibrate_fill(&context, p);
                const uint32_t begun = selvedge_ticks();
                int32_t status = calibrate_call(&context, p);
                const uint32_t took = selvedge_ticks() - begun;
                if (run >= 0 && took < whole[p]) whole[p] = took;
                if (status == SELVEDGE_OK) status = timed(p, first);
                if (status != SELVEDGE_OK) return status;
            }
            first = at;
        }
        begin("progress");
        put_number((uint32_t)block + 1);
        put_number((uint32_t)blocks);
        finish();
    }
    return SELVEDGE_OK;
}

int32_t selvedge_calibrate(int32_t blocks, int32_t runs)
{
    int32_t k = 0;
    PLAN(init)(&context, calibrate_arena, calibrate_weights);
    const uint32_t empty = overhead();
    const int32_t status = measure(blocks, runs);
    if (status != SELVEDGE_OK) {
        begin("failed");
        put_number((uint32_t)status);
        finish();
        return status;
    }
    lines = 0;
    begin("selvedge-calibrate 1 " CALIBRATE_DIGEST);
    put_number(selvedge_hz());
    put_number(empty);
    put_number(CALIBRATE_PROGRAMS);
    put_number(CALIBRATE_KERNELS);
    finish();
    for (int32_t p = 0; p < CALIBRATE_PROGRAMS; p++) {
        begin("p");
        put_number((uint32_t)p);
        put_number(whole[p]);
        finish();
        for (int32_t i = 0; i < calibrate_kernels[p]; i++, k++) {
            begin("k");
            put_number((uint32_t)p);
            put_number((uint32_t)i);
            put_number(best[k]);
            finish();
        }
    }
    begin("end");
    put_number(lines);
    finish();
    return SELVEDGE_OK;
}
