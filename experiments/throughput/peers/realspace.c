/* The real-space splitting of Yao et al., as plain C: the 3-point Laplacian falls into 2 x 2 blocks.

   A step of h is, with bonds (0,1), (2,3), ... called even and (1,2), (3,4), ... odd,
   exp(-i v h/2) exp(-i even h/2) exp(-i odd h) exp(-i even h/2) exp(-i v h/2),
   and the two halves of v between steps are one. Each bond i, j has the energy
   (|i><i| + |j><j| - |i><j| - |j><i|) / (2 dx^2). All phases are computed once per packet. */

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct job {
    int n_x, n_packets, n_steps, first, stride;
    double h, dx;
    const double *v;   /* n_packets x n_x */
    double *psi;       /* n_packets x n_x x (re, im), replaced by the last state */
};

/* Bonds from `start` on: the mean of two points keeps its phase, their difference turns. */
static void bonds(int n_x, int start, double c, double s, double *psi)
{
    for (int i = start; i < n_x; i += 2) {
        double *a = psi + 2 * i, *b = psi + 2 * (i + 1 < n_x ? i + 1 : 0);
        double mean_re = 0.5 * (a[0] + b[0]), mean_im = 0.5 * (a[1] + b[1]);
        double half_re = 0.5 * (a[0] - b[0]), half_im = 0.5 * (a[1] - b[1]);
        double re = c * half_re + s * half_im, im = c * half_im - s * half_re;
        a[0] = mean_re + re, a[1] = mean_im + im;
        b[0] = mean_re - re, b[1] = mean_im - im;
    }
}

static void turn(int n_x, const double *phase, double *psi)
{
    for (int i = 0; i < n_x; i++) {
        double re = psi[2 * i], im = psi[2 * i + 1], c = phase[2 * i], s = phase[2 * i + 1];
        psi[2 * i] = c * re + s * im;
        psi[2 * i + 1] = c * im - s * re;
    }
}

static void *work(void *argument)
{
    struct job *job = argument;
    int n_x = job->n_x;
    double *half = malloc(2 * n_x * sizeof *half), *full = malloc(2 * n_x * sizeof *full);
    double angle = job->h / (job->dx * job->dx);
    double c_half = cos(angle / 2), s_half = sin(angle / 2), c = cos(angle), s = sin(angle);
    for (int p = job->first; p < job->n_packets && half && full; p += job->stride) {
        const double *v = job->v + (size_t)p * n_x;
        double *psi = job->psi + (size_t)p * 2 * n_x;
        for (int i = 0; i < n_x; i++) {
            half[2 * i] = cos(v[i] * job->h / 2), half[2 * i + 1] = sin(v[i] * job->h / 2);
            full[2 * i] = cos(v[i] * job->h), full[2 * i + 1] = sin(v[i] * job->h);
        }
        turn(n_x, half, psi);
        for (int step = 0; step < job->n_steps; step++) {
            bonds(n_x, 0, c_half, s_half, psi);
            bonds(n_x, 1, c, s, psi);
            bonds(n_x, 0, c_half, s_half, psi);
            turn(n_x, step + 1 < job->n_steps ? full : half, psi);
        }
    }
    free(half);
    free(full);
    return 0;
}

/* Evolve all packets by n_steps of h, packet p by thread p modulo n_threads (at most 64). */
void evolve(int n_x, int n_packets, int n_steps, int n_threads, double h, double dx,
            const double *v, double *psi)
{
    pthread_t threads[64];
    struct job jobs[64];
    if (n_threads > 64)
        n_threads = 64;
    for (int t = 0; t < n_threads; t++) {
        jobs[t] = (struct job){n_x, n_packets, n_steps, t, n_threads, h, dx, v, psi};
        if (t > 0)
            pthread_create(&threads[t], 0, work, &jobs[t]);
    }
    work(&jobs[0]);
    for (int t = 1; t < n_threads; t++)
        pthread_join(threads[t], 0);
}
