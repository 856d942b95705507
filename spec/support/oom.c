/* oom: a host of Lua whose allocator fails on purpose. Test only.
**   oom once|twice|on SCRIPT [arguments]
** Runs the script in state after state, and lets the k-th allocation of the
** k-th run fail, until a run needs fewer than k:
**   once   only that one: Lua collects in an emergency and tries again
**   twice  the second try as well: an error, and then there is memory again
**   on     each one from then on, until the script has ended
** After each run: the error was about memory, if there was one; curlew's law
** holds and nothing is open; closing the state gave all descriptors back.
** What is wrong is written to stdout, and the status is 1; at the end, how many
** runs there were, how many ended with an error, and the release of Lua.
** SPDX-License-Identifier: MIT */

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

enum { MAX_FDS = 256 };

/* ---- the allocator ---- */

typedef struct budget {
  bool armed;
  unsigned long count;    /* allocations since it was armed */
  unsigned long from, to; /* those that fail */
} budget;

static bool fails(budget *b) {
  if (!b->armed) return false;
  b->count++;
  return b->count >= b->from && b->count <= b->to;
}

/* To shrink or to free never fails. */
static void *allocate(void *data, void *block, size_t old, size_t size) {
  if (size == 0) {
    free(block);
    return NULL;
  }
  bool grows = !block || size > old;
  return grows && fails(data) ? NULL : realloc(block, size);
}

/* ---- descriptors ---- */

typedef struct fds {
  ino_t inode[MAX_FDS]; /* by descriptor; 0: closed */
} fds;

static void read_fds(fds *all) {
  struct stat st;
  memset(all, 0, sizeof *all);
  for (int fd = 0; fd < MAX_FDS; fd++)
    if (fstat(fd, &st) == 0) all->inode[fd] = st.st_ino;
}

/* ---- one run ---- */

typedef struct job {
  const char *mode, *script;
  char **arguments;
  int count;
  fds baseline;
  unsigned long errors; /* runs that ended with one */
  bool wrong;
} job;

static void complain(job *j, unsigned long k, const char *what) {
  printf("%s, k = %lu: %s\n", j->mode, k, what);
  j->wrong = true;
}

static int run_script(lua_State *L) {
  const job *j = lua_touserdata(L, 1);
  if (luaL_loadfile(L, j->script) != LUA_OK) return lua_error(L);
  for (int i = 0; i < j->count; i++)
    lua_pushstring(L, j->arguments[i]);
  lua_call(L, j->count, 0);
  return 0;
}

/* A string of Lua's or the error object. */
static bool about_memory(lua_State *L) {
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "code");
    const char *code = lua_tostring(L, -1);
    bool memory = code && strcmp(code, "memory") == 0;
    lua_pop(L, 1);
    return memory;
  }
  const char *text = lua_tostring(L, -1);
  return text && (strstr(text, "memory") || strstr(text, "stack overflow"));
}

/* What the script left behind, once there is memory again. */
static const char audit[] =
  "collectgarbage() collectgarbage()\n"
  "local leaks = package.loaded['curlew.leaks']\n"
  "local core = package.loaded['curlew.core']\n"
  "if leaks then\n"
  "  local kept, differences = leaks.audit()\n"
  "  if not kept then error(table.concat(differences, ', ')) end\n"
  "end\n"
  "if core and core.stats().open ~= 0 then error('left open') end\n";

static void check_fds(job *j, unsigned long k) {
  fds now;
  char what[64];
  read_fds(&now);
  for (int fd = 0; fd < MAX_FDS; fd++) {
    if (now.inode[fd] == j->baseline.inode[fd]) continue;
    snprintf(what, sizeof what, "descriptor %d is not what it was", fd);
    complain(j, k, what);
  }
}

/* Since Lua 5.5 lua_newstate takes the seed of its hashes. */
static lua_State *new_state(budget *b) {
#if LUA_VERSION_NUM >= 505
  return lua_newstate(allocate, b, 1);
#else
  return lua_newstate(allocate, b);
#endif
}

/* Whether the run needed an allocation that failed. */
static bool run(job *j, unsigned long k, unsigned long to) {
  budget b = {.from = k, .to = to};
  lua_State *L = new_state(&b);
  if (!L) exit(2);
  luaL_openlibs(L);
  lua_pushcfunction(L, run_script);
  lua_pushlightuserdata(L, j);
  b.armed = true;
  int status = lua_pcall(L, 1, 0, 0);
  b.armed = false;
  j->errors += status != LUA_OK;
  if (status != LUA_OK && (b.count < k || !about_memory(L)))
    complain(j, k, luaL_tolstring(L, -1, NULL));
  if (luaL_dostring(L, audit) != LUA_OK) complain(j, k, lua_tostring(L, -1));
  lua_close(L);
  return b.count >= k;
}

static unsigned long last(const char *mode, unsigned long k) {
  if (strcmp(mode, "once") == 0) return k;
  return strcmp(mode, "twice") == 0 ? k + 1 : (unsigned long)-1;
}

int main(int argc, char **argv) {
  enum { ENOUGH = 100000 };
  if (argc < 3) return 2;
  job j = {.mode = argv[1], .script = argv[2]};
  j.arguments = argv + 3;
  j.count = argc - 3;
  run(&j, ENOUGH, 0); /* what libraries make once a process is there now */
  read_fds(&j.baseline);
  unsigned long k = 1;
  while (!j.wrong && run(&j, k, last(j.mode, k)) && k < ENOUGH) {
    check_fds(&j, k);
    k++;
  }
  printf("%lu runs, %lu errors, %s\n", k, j.errors, LUA_RELEASE);
  return j.wrong || k == ENOUGH;
}
