/* host: a C program that embeds Lua and curlew. Test only.
**   host threads SCRIPT [arguments]  two threads, each with a Lua state, call
**                                    the step "run" at the same time
**   host again SCRIPT [arguments]    thirty states, one after the other, each
**                                    loaded, run and closed
**   host fork SCRIPT [arguments]     forks during transfers, see fork_each_way
**   host leave SCRIPT [arguments]    ends while a thread is in the step "busy",
**                                    and closes no state
**   host version SCRIPT [arguments]  calls "run", and Lua claims to be one
**                                    version newer than it is
** The script gets the arguments and returns a table of functions, the steps.
** What is wrong is written to stdout, and the status is 1.
** SPDX-License-Identifier: MIT */

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

typedef struct job {
  const char *script;
  char **arguments;
  int count;
} job;

/* ---- the version of Lua ---- */

static bool newer;

/* Takes the place of Lua's function of this name. */
__attribute__((visibility("default"))) lua_Number(lua_version)(lua_State *L) {
  (void)L;
  return LUA_VERSION_NUM + (newer ? 1 : 0);
}

/* ---- states and steps ---- */

static int load_script(lua_State *L) {
  const job *j = lua_touserdata(L, 1);
  if (luaL_loadfile(L, j->script) != LUA_OK) return lua_error(L);
  for (int i = 0; i < j->count; i++)
    lua_pushstring(L, j->arguments[i]);
  lua_call(L, j->count, 1);
  return 1;
}

static bool is_done(lua_State *L, int status) {
  if (status != LUA_OK) {
    printf("%s\n", luaL_tolstring(L, -1, NULL));
    fflush(stdout);
  }
  return status == LUA_OK;
}

/* A state with the table of steps at 1. NULL: the script has failed. */
static lua_State *start(job *j) {
  lua_State *L = luaL_newstate();
  if (!L) return NULL;
  luaL_openlibs(L);
  lua_pushcfunction(L, load_script);
  lua_pushlightuserdata(L, j);
  if (is_done(L, lua_pcall(L, 1, 1, 0))) return L;
  lua_close(L);
  return NULL;
}

static bool call(lua_State *L, const char *step) {
  lua_settop(L, 1);
  lua_getfield(L, 1, step);
  return is_done(L, lua_pcall(L, 0, 0, 0));
}

/* The whole life of a state. */
static bool live(job *j, const char *step) {
  lua_State *L = start(j);
  if (!L) return false;
  bool ok = call(L, step);
  lua_close(L);
  return ok;
}

/* ---- threads ---- */

static void *run(void *j) { return live(j, "run") ? j : NULL; }

static bool run_threads(job *j) {
  enum { THREADS = 2 };
  pthread_t thread[THREADS];
  bool ok = true;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread[i], NULL, run, j) != 0) return false;
  for (int i = 0; i < THREADS; i++) {
    void *result;
    ok &= pthread_join(thread[i], &result) == 0 && result;
  }
  return ok;
}

/* ---- one state after the other ---- */

static int count_descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 1024; fd++)
    count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

static bool run_again(job *j) {
  enum { TIMES = 30 };
  int before = 0;
  for (int i = 0; i < TIMES; i++) {
    if (!live(j, "run")) return false;
    int now = count_descriptors();
    if (i == 0) before = now; /* libraries have opened theirs */
    if (now != before) {
      printf("round %d: %d descriptors, not %d\n", i, now, before);
      return false;
    }
  }
  return true;
}

/* ---- fork ---- */

typedef enum way {
  LEAVE,    /* ends without telling anybody */
  LEAVE_ON, /* exit: what is registered with atexit runs */
  CLOSE,    /* closes the state of the parent first */
  USE,      /* goes on with the state, then closes it */
  RENEW,    /* has a state of its own */
  WAYS
} way;

/* Does not return. The alarm ends a child that hangs. */
static void be_child(lua_State *L, job *j, way w) {
  bool ok = true;
  alarm(120);
  if (w == LEAVE) _exit(0);
  if (w == USE) ok = call(L, "child");
  if (w == RENEW) ok = live(j, "run");
  if (w == CLOSE || w == USE) lua_close(L);
  exit(ok ? 0 : 1);
}

static bool fork_once(lua_State *L, job *j, way w) {
  int status;
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) be_child(L, j, w);
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
  if (status == 0) return true;
  printf("child %d: status %#x\n", (int)w, (unsigned)status);
  return false;
}

static void *keep_busy(void *j) { return live(j, "busy") ? j : NULL; }

/* The step "begin" opens transfers and keeps them; "rest" reads them to their
** ends. Meanwhile another thread makes the requests of the step "busy". */
static bool fork_each_way(job *j) {
  pthread_t thread;
  void *result;
  bool ok = true;
  lua_State *L = start(j);
  if (!L) return false;
  if (pthread_create(&thread, NULL, keep_busy, j) != 0) return false;
  for (int w = 0; w < WAYS; w++)
    ok = ok && call(L, "begin") && fork_once(L, j, (way)w) && call(L, "rest");
  lua_close(L);
  return pthread_join(thread, &result) == 0 && result && ok;
}

/* ---- an end with a thread that runs ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool ready;

/* tell(): the thread is where the process is to end */
static int l_tell(lua_State *L) {
  (void)L;
  pthread_mutex_lock(&lock);
  ready = true;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  return 0;
}

static void *stay_busy(void *L) { return call(L, "busy") ? L : NULL; }

static bool leave(job *j) {
  pthread_t thread;
  lua_State *own = start(j), *other = start(j);
  if (!own || !other) return false;
  lua_register(other, "tell", l_tell);
  if (pthread_create(&thread, NULL, stay_busy, other) != 0) return false;
  pthread_mutex_lock(&lock);
  while (!ready)
    pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return call(own, "run");
}

/* ---- main ---- */

static bool run_newer(job *j) {
  lua_State *L = start(j);
  if (!L) return false;
  newer = true;
  bool ok = call(L, "run");
  newer = false;
  lua_close(L);
  return ok;
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    bool (*run)(job *);
  } modes[] = {{"threads", run_threads},
               {"again", run_again},
               {"fork", fork_each_way},
               {"leave", leave},
               {"version", run_newer}};
  if (argc < 3) return 2;
  job j = {.script = argv[2], .arguments = argv + 3, .count = argc - 3};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
    if (strcmp(argv[1], modes[i].name) == 0) return modes[i].run(&j) ? 0 : 1;
  return 2;
}
