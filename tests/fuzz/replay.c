// Runs a fuzz target over every file of a folder: TAP, one case a file, and one
// for the empty input. A crash ends the program, which the runner counts.
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int one(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    if (!f)
        return -1;
    uint8_t *data = malloc(1 << 20); // exact-size copy below lets ASan see over-reads
    size_t n = data ? fread(data, 1, 1 << 20, f) : 0;
    fclose(f);
    uint8_t *exact = realloc(data, n ? n : 1);
    LLVMFuzzerTestOneInput(exact, n);
    free(exact);
    return 0;
}

int main(int argc, char **argv)
{
    int n = 0;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    printf("ok %d - the empty input\n", ++n);
    DIR *d = argc > 1 ? opendir(argv[1]) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        int failed = one(argv[1], e->d_name);
        printf("%s %d - %s\n", failed ? "not ok" : "ok", ++n, e->d_name);
        fflush(stdout);
    }
    if (d)
        closedir(d);
    printf("1..%d\n", n);
    return 0;
}
