/* What the processor can do: the symmetric (max,min) product in float32, by hand, for benchmarks/bench_delta.py.
 *
 * With G_xy = d(x,p) + d(y,p) - d(x,y), C_xy = max_z min(G_xz, G_zy), the maximum of C - G is 2 delta_p; its maximum over
 * all bases p, each with the points after it, is 2 delta. G is packed in panels of 64 columns, so that a panel read row
 * by row is columns of G and, G being symmetric, read element by element is rows of it. Blocks of 64 x 64 of C are built
 * in tiles of 6 rows that stay in the vector registers while z runs; only blocks on and above the diagonal are built.
 *
 * float32 throughout: the values are good to about 1e-6 of the largest distance, and no witness is kept. This is less
 * than embgeom returns, and on purpose: a yardstick should be as fast as it can be.
 */
#include <omp.h>
#include <stddef.h>
#include <stdlib.h>

enum { PANEL = 64, ROWS = 6, DEPTH = 128 };

#if defined(__AVX512F__)
#include <immintrin.h>
typedef __m512 vec;
enum { LANES = 16, COLUMNS = 64 }; /* 6 x 4 accumulators of 32 registers */
#define LOAD _mm512_loadu_ps
#define STORE _mm512_storeu_ps
#define SPREAD _mm512_set1_ps
#define SMALLER _mm512_min_ps
#define LARGER _mm512_max_ps
#elif defined(__AVX__)
#include <immintrin.h>
typedef __m256 vec;
enum { LANES = 8, COLUMNS = 16 }; /* 6 x 2 accumulators of 16 registers */
#define LOAD _mm256_loadu_ps
#define STORE _mm256_storeu_ps
#define SPREAD _mm256_set1_ps
#define SMALLER _mm256_min_ps
#define LARGER _mm256_max_ps
#elif defined(__ARM_NEON)
#include <arm_neon.h>
typedef float32x4_t vec;
enum { LANES = 4, COLUMNS = 16 }; /* 6 x 4 accumulators of 32 registers */
#define LOAD vld1q_f32
#define STORE vst1q_f32
#define SPREAD vdupq_n_f32
#define SMALLER vminq_f32
#define LARGER vmaxq_f32
#else
typedef float vec;
enum { LANES = 1, COLUMNS = 1 };
#define LOAD(p) (*(p))
#define STORE(p, v) (*(p) = (v))
#define SPREAD(v) (v)
#define SMALLER(a, b) ((a) < (b) ? (a) : (b))
#define LARGER(a, b) ((a) > (b) ? (a) : (b))
#endif

enum { VECS = COLUMNS / LANES };

static const float BIG = 1e30f;

/* Rows r .. r+5 of a block of C, for z in one slice of the two panels; left points at column r of the row panel. */
static inline __attribute__((always_inline)) void tile(const float *left, const float *right, float *block, int depth) {
    for (int c = 0; c < PANEL; c += COLUMNS) {
        vec acc[ROWS][VECS];
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
            for (int v = 0; v < VECS; v++) acc[r][v] = LOAD(block + r * PANEL + c + v * LANES);
        for (int z = 0; z < depth; z++) {
            vec row[VECS];
#pragma GCC unroll 4
            for (int v = 0; v < VECS; v++) row[v] = LOAD(right + z * PANEL + c + v * LANES);
#pragma GCC unroll 6
            for (int r = 0; r < ROWS; r++) {
                vec own = SPREAD(left[z * PANEL + r]);
#pragma GCC unroll 4
                for (int v = 0; v < VECS; v++) acc[r][v] = LARGER(acc[r][v], SMALLER(own, row[v]));
            }
        }
#pragma GCC unroll 6
        for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 4
            for (int v = 0; v < VECS; v++) STORE(block + r * PANEL + c + v * LANES, acc[r][v]);
    }
}

/* The largest C - G of the block of panels i and j. A panel has n rows; PANEL + 2 floats of slack follow the last one,
 * since 64 is no multiple of 6: the last tile of a block has two rows too many, which nobody looks at. */
static float best_of_block(const float *panels, int n, int i, int j) {
    float block[(PANEL + ROWS) * PANEL] __attribute__((aligned(64)));
    for (int t = 0; t < (PANEL + ROWS) * PANEL; t++) block[t] = -BIG;
    int rows = n - i * PANEL < PANEL ? n - i * PANEL : PANEL;
    const float *left = panels + (size_t)i * n * PANEL, *right = panels + (size_t)j * n * PANEL;
    for (int z = 0; z < n; z += DEPTH) {
        int depth = n - z < DEPTH ? n - z : DEPTH;
        for (int r = 0; r < rows; r += ROWS)
            tile(left + (size_t)z * PANEL + r, right + (size_t)z * PANEL, block + r * PANEL, depth);
    }
    vec best = SPREAD(0.0f);
    const float *products = right + (size_t)i * PANEL * PANEL;
    for (int t = 0; t < rows * PANEL; t += LANES) best = LARGER(best, LOAD(block + t) - LOAD(products + t));
    float lanes[LANES], largest = 0;
    STORE(lanes, best);
    for (int t = 0; t < LANES; t++) largest = lanes[t] > largest ? lanes[t] : largest;
    return largest;
}

/* Row x of G of the n points from `first` on; columns beyond the last are -BIG, so that they win nothing. */
#define DEFINE_PACK_ROW(name, type)                                                                                \
    static void name(const type *distances, int size, int base, int first, int n, int x, float *panels) {          \
        const type *to_x = distances + (size_t)(first + x) * size + first;                                         \
        const type *to_base = distances + (size_t)base * size + first;                                             \
        for (int q = 0; q * PANEL < n; q++) {                                                                      \
            float *target = panels + ((size_t)q * n + x) * PANEL;                                                  \
            int width = n - q * PANEL < PANEL ? n - q * PANEL : PANEL;                                             \
            for (int c = 0; c < width; c++)                                                                        \
                target[c] = (float)(to_base[x] + to_base[q * PANEL + c] - to_x[q * PANEL + c]);                    \
            for (int c = width; c < PANEL; c++) target[c] = -BIG;                                                 \
        }                                                                                                          \
    }
DEFINE_PACK_ROW(pack_row_double, double)
DEFINE_PACK_ROW(pack_row_float, float)

static int panel_count(int n) { return (n + PANEL - 1) / PANEL; }

static float *new_panels(int n) {
    size_t bytes = ((size_t)panel_count(n) * n * PANEL + PANEL + 2) * sizeof(float);
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

int yardstick_threads(void) { return omp_get_max_threads(); }

/* 2 delta_p of a matrix (n, n), or -1 for want of memory. */
float yardstick_fixed_base(const double *distances, int n, int base) {
    float *panels = new_panels(n);
    if (!panels) return -1;
    int count = panel_count(n);
    float best = 0;
#pragma omp parallel
    {
#pragma omp for schedule(static)
        for (int x = 0; x < n; x++) pack_row_double(distances, n, base, 0, n, x, panels);
        /* j falls, so that the largest share of work comes first and panel j stays in the cache while i changes. */
#pragma omp for schedule(dynamic) reduction(max : best)
        for (int pair = 0; pair < count * (count + 1) / 2; pair++) {
            int j = count - 1, left = pair;
            while (left > j) left -= j-- + 1;
            float value = best_of_block(panels, n, left, j);
            best = value > best ? value : best;
        }
    }
    free(panels);
    return best;
}

/* 2 delta of a matrix (n, n) by brute force: for each base the product over the points after it; or -1. */
float yardstick_four_point(const double *distances, int n) {
    float *narrow = malloc((size_t)n * n * sizeof(float));
    if (!narrow) return -1;
    for (size_t t = 0; t < (size_t)n * n; t++) narrow[t] = (float)distances[t];
    float best = 0;
    int failed = 0;
#pragma omp parallel
    {
        float *panels = new_panels(n);
#pragma omp for schedule(dynamic) reduction(max : best) reduction(| : failed)
        for (int p = 0; p < n - 3; p++) {
            if (!panels) {
                failed = 1;
                continue;
            }
            int m = n - p - 1;
            for (int x = 0; x < m; x++) pack_row_float(narrow, n, p, p + 1, m, x, panels);
            for (int j = panel_count(m) - 1; j >= 0; j--)
                for (int i = 0; i <= j; i++) {
                    float value = best_of_block(panels, m, i, j);
                    best = value > best ? value : best;
                }
        }
        free(panels);
    }
    free(narrow);
    return failed ? -1 : best;
}
