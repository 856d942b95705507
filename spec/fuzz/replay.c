/* replay: runs a fuzz target over files, and over every file of folders. Its
** last line says how many there were. Test only.
** SPDX-License-Identifier: MIT */

#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static int files;

static void stop(const char *path) {
  perror(path);
  exit(2);
}

/* In memory of exactly its size: what reads on is found. */
static void replay_file(const char *path, size_t size) {
  uint8_t *bytes = malloc(size > 0 ? size : 1);
  FILE *f = fopen(path, "rb");
  if (!bytes || !f || fread(bytes, 1, size, f) != size) stop(path);
  fclose(f);
  LLVMFuzzerTestOneInput(bytes, size);
  free(bytes);
  files++;
}

static void replay_folder(const char *path);

static void replay(const char *path) {
  struct stat s;
  if (stat(path, &s) != 0) stop(path);
  if (S_ISDIR(s.st_mode))
    replay_folder(path);
  else
    replay_file(path, (size_t)s.st_size);
}

static void replay_folder(const char *path) {
  DIR *folder = opendir(path);
  if (!folder) stop(path);
  for (struct dirent *one; (one = readdir(folder));) {
    char name[4096];
    if (one->d_name[0] == '.') continue;
    snprintf(name, sizeof name, "%s/%s", path, one->d_name);
    replay(name);
  }
  closedir(folder);
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++)
    replay(argv[i]);
  printf("%d\n", files);
  return 0;
}
