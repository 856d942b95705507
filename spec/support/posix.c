/* posix_support: what the specs need of the system and Lua does not give:
** children that die with the suite, descriptors, limits, signals. Test only.
** Built by
**   gcc -std=c11 -D_GNU_SOURCE -O2 -g -fPIC -shared $(pkg-config --cflags \
**     lua5.4) spec/support/posix.c -o build/spec/posix_support.so
** SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#define PROCESS "posix_support.process"
#define CHUNK 16384
#define MAX_FDS 32

extern char **environ;

/* A child: its pipes (-1: none), and its end once it has been reaped. */
typedef struct process {
  pid_t pid, owner; /* owner: who forked it; a copy of that does not kill */
  int in, out, err;
  int patience; /* milliseconds that a read may wait, -1: forever */
  bool reaped;
  int status;
} process;

/* ---- floor: failure, time, signals, writing ---- */

static int fail(lua_State *L, const char *what) {
  int saved = errno;
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", what, strerror(saved));
  lua_pushinteger(L, saved);
  return 3;
}

static int raise_errno(lua_State *L, const char *what) {
  return luaL_error(L, "%s: %s", what, strerror(errno));
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct timespec seconds(double s) {
  struct timespec t = {.tv_sec = (time_t)s};
  t.tv_nsec = (long)((s - (double)t.tv_sec) * 1e9);
  return t;
}

/* Milliseconds for poll() until the time 'end'; a negative end is never. */
static int left_until(double end) {
  if (end < 0) return -1;
  double left = (end - now()) * 1000;
  return left > 0 ? (int)left + 1 : 0;
}

static const struct {
  const char *name;
  int number;
} signals[] = {
  {"HUP", SIGHUP},   {"INT", SIGINT},   {"KILL", SIGKILL}, {"TERM", SIGTERM},
  {"PIPE", SIGPIPE}, {"ALRM", SIGALRM}, {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
  {"STOP", SIGSTOP}, {"CONT", SIGCONT}, {"QUIT", SIGQUIT}, {"XFSZ", SIGXFSZ},
  {"ABRT", SIGABRT},
};

/* A signal is named ("INT") or numbered; without one it is 'otherwise'. */
static int check_signal(lua_State *L, int arg, int otherwise) {
  if (lua_isnoneornil(L, arg)) return otherwise;
  if (lua_isinteger(L, arg)) return (int)lua_tointeger(L, arg);
  const char *name = luaL_checkstring(L, arg);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (strcmp(name, signals[i].name) == 0) return signals[i].number;
  return luaL_argerror(L, arg, "unknown signal");
}

/* write() without the signal that a child's end of reading would send */
static ssize_t write_quietly(int fd, const char *s, size_t n) {
  sigset_t pipe_set, old;
  sigemptyset(&pipe_set);
  sigaddset(&pipe_set, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_set, &old);
  ssize_t done = write(fd, s, n);
  int saved = errno;
  struct timespec none = {0};
  if (done < 0 && saved == EPIPE) sigtimedwait(&pipe_set, NULL, &none);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  errno = saved;
  return done;
}

static bool write_all(int fd, const char *s, size_t n) {
  while (n > 0) {
    ssize_t done = write_quietly(fd, s, n);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    s += done;
    n -= (size_t)done;
  }
  return true;
}

static void drop(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}

/* ---- spawn: the plan, made before the fork ---- */

typedef struct plan {
  char **argv;
  char **envp;
  int from[MAX_FDS], to[MAX_FDS]; /* descriptors of the child */
  int fds;
  rlim_t nofile; /* 0: as it is */
  pid_t parent;
  int death; /* the signal that the end of the suite sends */
} plan;

static bool flag(lua_State *L, const char *name, bool otherwise) {
  bool b = otherwise;
  if (lua_getfield(L, 1, name) != LUA_TNIL) b = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return b;
}

static void give(plan *p, int from, int to) {
  p->from[p->fds] = from;
  p->to[p->fds++] = to;
}

/* Pushes what holds the memory of argv. */
static void plan_argv(lua_State *L, plan *p, size_t n) {
  p->argv = lua_newuserdatauv(L, (n + 1) * sizeof *p->argv, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    union {
      const char *read;
      char *given; /* execvpe takes char *, and changes nothing */
    } word = {.read = luaL_checkstring(L, -1)};
    p->argv[i] = word.given;
    lua_pop(L, 1); /* the caller's table holds it */
  }
  p->argv[n] = NULL;
}

/* The variables of this process into the table at the top, by name. */
static void current_environment(lua_State *L) {
  for (char **e = environ; *e; e++) {
    const char *eq = strchr(*e, '=');
    if (!eq) continue;
    lua_pushlstring(L, *e, (size_t)(eq - *e));
    lua_pushstring(L, eq + 1);
    lua_rawset(L, -3);
  }
}

/* env = {NAME = value or false} is added to the table at the top. */
static void added_environment(lua_State *L) {
  int all = lua_gettop(L);
  if (!flag(L, "preload", false)) {
    lua_pushnil(L);
    lua_setfield(L, all, "LD_PRELOAD");
  }
  if (lua_getfield(L, 1, "env") == LUA_TTABLE)
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      lua_pushvalue(L, -2);
      if (lua_toboolean(L, -2))
        lua_pushvalue(L, -2);
      else
        lua_pushnil(L);
      lua_rawset(L, all);
    }
  lua_pop(L, 1);
}

/* Pushes what holds the memory of envp: a table of lines and an array. */
static void plan_environment(lua_State *L, plan *p) {
  lua_newtable(L);
  current_environment(L);
  added_environment(L);
  int all = lua_gettop(L);
  lua_newtable(L);
  size_t n = 0;
  for (lua_pushnil(L); lua_next(L, all); lua_pop(L, 1)) {
    const char *value = luaL_tolstring(L, -1, NULL);
    lua_pushfstring(L, "%s=%s", lua_tostring(L, -3), value);
    lua_rawseti(L, all + 1, (lua_Integer)++n);
    lua_pop(L, 1);
  }
  p->envp = lua_newuserdatauv(L, (n + 1) * sizeof *p->envp, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, all + 1, (lua_Integer)i + 1);
    union {
      const char *read;
      char *given;
    } line = {.read = lua_tostring(L, -1)};
    p->envp[i] = line.given;
    lua_pop(L, 1);
  }
  p->envp[n] = NULL;
}

static void plan_fds(lua_State *L, plan *p) {
  if (lua_getfield(L, 1, "fds") == LUA_TTABLE)
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
      if (p->fds == MAX_FDS) luaL_error(L, "too many descriptors");
      give(p, (int)luaL_checkinteger(L, -1), (int)luaL_checkinteger(L, -2));
    }
  lua_pop(L, 1);
}

static void plan_rest(lua_State *L, plan *p, process *child) {
  lua_getfield(L, 1, "nofile");
  p->nofile = (rlim_t)luaL_optinteger(L, -1, 0);
  lua_getfield(L, 1, "patience");
  lua_Number patience = luaL_optnumber(L, -1, -1);
  child->patience = patience < 0 ? -1 : (int)(patience * 1000);
  lua_getfield(L, 1, "death");
  p->death = check_signal(L, -1, SIGKILL);
  lua_pop(L, 3);
  p->parent = getpid();
}

/* ---- spawn: in the child, where only plain system calls are allowed ---- */

static void raise_nofile(rlim_t n) {
  struct rlimit limit;
  if (n == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/* What the child was not given closes when it starts: a socket of the suite
** that lived on in a child would hide its closing from the peer. */
static void keep_none(void) {
  if (close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) return;
  for (int fd = 3; fd < 4096; fd++)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void run_child(plan *p, int report) {
  prctl(PR_SET_PDEATHSIG, p->death);
  if (getppid() != p->parent) _exit(127);
  report = fcntl(report, F_DUPFD_CLOEXEC, 64); /* out of the targets' way */
  for (int i = 0; i < p->fds; i++)
    p->from[i] = fcntl(p->from[i], F_DUPFD_CLOEXEC, 64);
  keep_none();
  for (int i = 0; i < p->fds; i++)
    dup2(p->from[i], p->to[i]);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  raise_nofile(p->nofile);
  execvpe(p->argv[0], p->argv, p->envp);
  int why = errno;
  if (write(report, &why, sizeof why) < 0) _exit(126);
  _exit(127);
}

/* ---- spawn: in the parent ---- */

/* One pipe of the child; 'mine' keeps this side's end. */
static bool add_pipe(plan *p, int to, int *mine, int *theirs) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  bool reads = to == 0;
  *mine = ends[reads ? 1 : 0];
  *theirs = ends[reads ? 0 : 1];
  give(p, *theirs, to);
  return true;
}

static bool add_pipes(lua_State *L, plan *p, process *c, int theirs[4]) {
  if (flag(L, "stdin", true)) {
    if (!add_pipe(p, 0, &c->in, &theirs[0])) return false;
  } else {
    theirs[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    give(p, theirs[0], 0);
  }
  if (!flag(L, "stdout", true))
    give(p, 1, 1);
  else if (!add_pipe(p, 1, &c->out, &theirs[1]))
    return false;
  if (!flag(L, "stderr", false))
    give(p, 2, 2);
  else if (!add_pipe(p, 2, &c->err, &theirs[2]))
    return false;
  return true;
}

static void drop_all(int *fds, int n) {
  for (int i = 0; i < n; i++)
    drop(&fds[i]);
}

/* 0, or the error number of the fork or of the exec */
static int start_child(plan *p, process *c) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) return errno;
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) run_child(p, report[1]);
  int why = pid < 0 ? errno : 0;
  drop(&report[1]);
  if (pid > 0) {
    c->pid = pid;
    c->owner = getpid();
    c->reaped = false;
    while (read(report[0], &why, sizeof why) < 0 && errno == EINTR)
      continue;
  }
  drop(&report[0]);
  return why;
}

static int stop_child(process *c) {
  drop(&c->in);
  drop(&c->out);
  drop(&c->err);
  if (c->reaped || c->owner != getpid()) return 0;
  kill(c->pid, SIGKILL);
  while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
    continue;
  c->reaped = true;
  return 0;
}

/* spawn{argv..., env=, preload=, fds=, stdin=, stdout=, stderr=, nofile=,
** patience=, death=} -> process; nil, message if it could not be started */
static int l_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  size_t words = lua_rawlen(L, 1);
  if (words == 0) return luaL_argerror(L, 1, "a command expected");
  process *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (process){.in = -1, .out = -1, .err = -1, .reaped = true};
  luaL_setmetatable(L, PROCESS);
  plan p = {0};
  plan_argv(L, &p, words);
  plan_environment(L, &p);
  plan_rest(L, &p, c);
  plan_fds(L, &p);
  if (p.fds + 3 > MAX_FDS) return luaL_error(L, "too many descriptors");
  int theirs[] = {-1, -1, -1, -1};
  int why = add_pipes(L, &p, c, theirs) ? start_child(&p, c) : errno;
  drop_all(theirs, 4);
  if (why == 0) return lua_settop(L, 2), 1;
  stop_child(c);
  errno = why;
  return fail(L, p.argv[0]);
}

/* ---- the process object ---- */

static process *check_process(lua_State *L) {
  return luaL_checkudata(L, 1, PROCESS);
}

/* Waits, then reads; 0 at the end; raises when patience is over. */
static size_t read_some(lua_State *L, process *c, int fd, char *s, size_t n) {
  if (fd < 0) return (size_t)luaL_error(L, "this pipe is closed");
  struct pollfd p = {.fd = fd, .events = POLLIN};
  double end = c->patience < 0 ? -1 : now() + c->patience / 1000.0;
  int ready = 0;
  do
    ready = poll(&p, 1, left_until(end));
  while (ready < 0 && errno == EINTR);
  if (ready == 0) luaL_error(L, "the child was silent for too long");
  ssize_t got = 0;
  do
    got = read(fd, s, n);
  while (got < 0 && errno == EINTR);
  if (got < 0) raise_errno(L, "read");
  return (size_t)got;
}

static int p_write(lua_State *L) {
  process *c = check_process(L);
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  if (c->in < 0) return luaL_error(L, "stdin is closed");
  if (!write_all(c->in, s, n)) return fail(L, "write");
  lua_pushboolean(L, 1);
  return 1;
}

/* One line without its end; nil at the end. Byte by byte, nothing is read
** ahead, so read(n) can follow. */
static int p_read_line(lua_State *L) {
  process *c = check_process(L);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  char ch = 0;
  bool any = false;
  while (read_some(L, c, c->out, &ch, 1) == 1) {
    any = true;
    if (ch == '\n') break;
    luaL_addchar(&b, ch);
  }
  luaL_pushresult(&b);
  if (!any) luaL_pushfail(L);
  return 1;
}

static int p_read(lua_State *L) {
  process *c = check_process(L);
  size_t want = (size_t)luaL_checkinteger(L, 2);
  luaL_Buffer b;
  char *s = luaL_buffinitsize(L, &b, want);
  size_t have = 0;
  while (have < want) {
    size_t got = read_some(L, c, c->out, s + have, want - have);
    if (got == 0) break;
    have += got;
  }
  luaL_pushresultsize(&b, have);
  return 1;
}

static int read_to_end(lua_State *L, process *c, int fd) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (;;) {
    size_t got = read_some(L, c, fd, luaL_prepbuffsize(&b, CHUNK), CHUNK);
    if (got == 0) break;
    luaL_addsize(&b, got);
  }
  luaL_pushresult(&b);
  return 1;
}

static int p_read_all(lua_State *L) {
  process *c = check_process(L);
  return read_to_end(L, c, c->out);
}

static int p_read_stderr(lua_State *L) {
  process *c = check_process(L);
  return read_to_end(L, c, c->err);
}

static int p_close_stdin(lua_State *L) {
  drop(&check_process(L)->in);
  return 0;
}

static int p_kill(lua_State *L) {
  process *c = check_process(L);
  int sig = check_signal(L, 2, SIGTERM);
  lua_pushboolean(L, !c->reaped && kill(c->pid, sig) == 0);
  return 1;
}

static int push_status(lua_State *L, int status) {
  bool exited = WIFEXITED(status);
  lua_pushstring(L, exited ? "exit" : "signal");
  lua_pushinteger(L, exited ? WEXITSTATUS(status) : WTERMSIG(status));
  return 2;
}

/* wait([seconds]) -> "exit" or "signal", number; nil, "timeout" */
static int p_wait(lua_State *L) {
  process *c = check_process(L);
  double end = lua_isnoneornil(L, 2) ? -1 : now() + luaL_checknumber(L, 2);
  struct timespec nap = seconds(0.001);
  while (!c->reaped) {
    pid_t got = waitpid(c->pid, &c->status, end < 0 ? 0 : WNOHANG);
    c->reaped = got == c->pid;
    if (got < 0 && errno != EINTR) return raise_errno(L, "waitpid");
    if (c->reaped) break;
    if (end >= 0 && now() > end) {
      luaL_pushfail(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
    if (got == 0) nanosleep(&nap, NULL);
  }
  return push_status(L, c->status);
}

static int p_pid(lua_State *L) {
  lua_pushinteger(L, check_process(L)->pid);
  return 1;
}

static int p_close(lua_State *L) { return stop_child(check_process(L)); }

/* ---- communicate: all pipes at once ---- */

typedef struct text {
  char *s;
  size_t n, room;
} text;

static bool text_room(text *t) {
  if (t->room - t->n >= CHUNK) return true;
  size_t room = 2 * t->room + CHUNK;
  char *s = realloc(t->s, room);
  if (!s) return false;
  t->s = s;
  t->room = room;
  return true;
}

/* Takes what is there; closes the pipe at its end. */
static void take(int *fd, short events, text *t) {
  if (*fd < 0 || events == 0) return;
  ssize_t got = text_room(t) ? read(*fd, t->s + t->n, CHUNK) : 0;
  if (got > 0)
    t->n += (size_t)got;
  else if (got == 0 || errno != EINTR)
    drop(fd);
}

static void feed(int *fd, short events, const char **s, size_t *n) {
  if (*fd < 0 || (events == 0 && *n > 0)) return;
  ssize_t done = *n > 0 ? write_quietly(*fd, *s, *n) : 0;
  if (done > 0) {
    *s += done;
    *n -= (size_t)done;
  } else if (done == 0 || (errno != EAGAIN && errno != EINTR)) {
    drop(fd);
  }
}

/* Whether it came to its end before the time 'end'. */
static bool exchange(process *c, const char *s, size_t n, double end, text *out,
                     text *err) {
  while (c->in >= 0 || c->out >= 0 || c->err >= 0) {
    struct pollfd p[] = {{.fd = c->in, .events = POLLOUT},
                         {.fd = c->out, .events = POLLIN},
                         {.fd = c->err, .events = POLLIN}};
    if (n == 0) drop(&c->in), p[0].fd = -1;
    int ready = poll(p, 3, left_until(end));
    if (ready == 0) return false;
    if (ready < 0) continue;
    feed(&c->in, p[0].revents, &s, &n);
    take(&c->out, p[1].revents, out);
    take(&c->err, p[2].revents, err);
  }
  return true;
}

/* communicate([input[, seconds]]) -> stdout, stderr, and whether the child
** closed both in time: writes and reads together, so nothing can block. */
static int p_communicate(lua_State *L) {
  process *c = check_process(L);
  size_t n;
  const char *input = luaL_optlstring(L, 2, "", &n);
  double end = lua_isnoneornil(L, 3) ? -1 : now() + luaL_checknumber(L, 3);
  if (c->in >= 0) fcntl(c->in, F_SETFL, O_NONBLOCK);
  text out = {0}, err = {0};
  bool done = exchange(c, input, n, end, &out, &err);
  lua_pushlstring(L, out.s ? out.s : "", out.n);
  lua_pushlstring(L, err.s ? err.s : "", err.n);
  lua_pushboolean(L, done);
  free(out.s);
  free(err.s);
  return 3;
}

static const luaL_Reg process_methods[] = {
  {"write", p_write},
  {"read_line", p_read_line},
  {"read", p_read},
  {"read_all", p_read_all},
  {"read_stderr", p_read_stderr},
  {"close_stdin", p_close_stdin},
  {"communicate", p_communicate},
  {"kill", p_kill},
  {"wait", p_wait},
  {"pid", p_pid},
  {"close", p_close},
  {"__close", p_close},
  {"__gc", p_close},
  {NULL, NULL},
};

/* ---- sockets ---- */

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  a.sin_port = htons((uint16_t)port);
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return a;
}

static int bind_loopback(int fd, int *port, bool listens) {
  struct sockaddr_in a = loopback(0);
  socklen_t n = sizeof a;
  if (bind(fd, (struct sockaddr *)&a, n) != 0) return -1;
  if (listens && listen(fd, 4096) != 0) return -1;
  if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) return -1;
  *port = ntohs(a.sin_port);
  return 0;
}

static int push_bound(lua_State *L, bool listens) {
  int port = 0;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return raise_errno(L, "socket");
  if (bind_loopback(fd, &port, listens) != 0) {
    close(fd);
    return raise_errno(L, "listen");
  }
  lua_pushinteger(L, fd);
  lua_pushinteger(L, port);
  return 2;
}

/* listen() -> descriptor, port: on 127.0.0.1, the port is the kernel's */
static int l_listen(lua_State *L) { return push_bound(L, true); }

/* reserve() -> the same of a port that nobody listens on, nor will */
static int l_reserve(lua_State *L) { return push_bound(L, false); }

static int dial(int port) {
  struct sockaddr_in a = loopback(port);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0) return fd;
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

/* connect(port) -> descriptor of a raw connection */
static int l_connect(lua_State *L) {
  int fd = dial((int)luaL_checkinteger(L, 1));
  if (fd < 0) return fail(L, "connect");
  lua_pushinteger(L, fd);
  return 1;
}

static socklen_t address_of(struct sockaddr_storage *a, const char *ip,
                            int port) {
  struct sockaddr_in6 *six = (struct sockaddr_in6 *)a;
  struct sockaddr_in *four = (struct sockaddr_in *)a;
  *a = (struct sockaddr_storage){.ss_family = AF_INET6};
  six->sin6_port = htons((uint16_t)port);
  if (inet_pton(AF_INET6, ip, &six->sin6_addr) == 1) return sizeof *six;
  *a = (struct sockaddr_storage){.ss_family = AF_INET};
  four->sin_port = htons((uint16_t)port);
  inet_pton(AF_INET, ip, &four->sin_addr);
  return sizeof *four;
}

/* deafen(ip, port) -> descriptors. While they are open, a connection to that
** address is neither accepted nor refused. */
static int l_deafen(lua_State *L) {
  struct sockaddr_storage a;
  socklen_t n =
    address_of(&a, luaL_checkstring(L, 1), (int)luaL_checkinteger(L, 2));
  int fd[3];
  for (int i = 0; i < 3; i++)
    fd[i] = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd[0] < 0 || bind(fd[0], (struct sockaddr *)&a, n) != 0 ||
      listen(fd[0], 0) != 0)
    return raise_errno(L, "deafen");
  for (int i = 0; i < 3; i++) {
    if (fd[i] < 0 || (i > 0 && connect(fd[i], (struct sockaddr *)&a, n) != 0 &&
                      errno != EINPROGRESS))
      return raise_errno(L, "deafen");
    lua_pushinteger(L, fd[i]);
  }
  return 3;
}

/* ask(port, bytes) -> all that came until the peer closed; 10 s at most */
static int l_ask(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  process c = {.patience = 10000, .reaped = true, .in = -1, .err = -1};
  c.out = dial((int)luaL_checkinteger(L, 1));
  if (c.out < 0) return fail(L, "connect");
  text t = {0};
  bool sent = write_all(c.out, s, n);
  bool done = sent && exchange(&c, "", 0, now() + 10, &t, &t);
  drop(&c.out);
  lua_pushlstring(L, t.s ? t.s : "", t.n);
  free(t.s);
  return done ? 1 : luaL_error(L, "the peer did not answer to its end");
}

static int l_close(lua_State *L) {
  lua_pushboolean(L, close((int)luaL_checkinteger(L, 1)) == 0);
  return 1;
}

/* ---- this process ---- */

static void add_descriptor(lua_State *L, int dir, const char *name) {
  char target[512];
  ssize_t n = readlinkat(dir, name, target, sizeof target);
  lua_Integer fd = strtol(name, NULL, 10);
  if (n < 0 || fd == dir) return;
  lua_pushlstring(L, target, (size_t)n);
  lua_rawseti(L, -2, fd);
}

/* fds() -> {[descriptor] = "socket:[12]" or "pipe:[3]" or a path} */
static int l_fds(lua_State *L) {
  DIR *d = opendir("/proc/self/fd");
  int dir = d ? dirfd(d) : -1;
  if (dir < 0) return raise_errno(L, "/proc/self/fd");
  lua_newtable(L);
  for (struct dirent *e = readdir(d); e; e = readdir(d))
    if (e->d_name[0] != '.') add_descriptor(L, dir, e->d_name);
  closedir(d);
  return 1;
}

static int write_upvalue(lua_State *L) {
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  int fd = (int)lua_tointeger(L, lua_upvalueindex(1));
  return write_all(fd, s, n) ? 0 : raise_errno(L, "write");
}

static void run_fork(lua_State *L, int out) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(60); /* a child that hangs shall not hang the suite */
  lua_pushvalue(L, 1);
  lua_pushinteger(L, out);
  lua_pushcclosure(L, write_upvalue, 1);
  if (lua_pcall(L, 1, 0, 0) == LUA_OK) _exit(0);
  size_t n;
  const char *why = luaL_tolstring(L, -1, &n);
  write_all(out, why, n);
  _exit(1);
}

/* fork(fn) -> exit code (128 + signal if killed), what was written: fn(write)
** runs in a copy of this process; an error in it is written, its code is 1 */
static int l_fork(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  process *c = lua_newuserdatauv(L, sizeof *c, 0);
  *c = (process){.in = -1, .out = -1, .err = -1, .reaped = true};
  luaL_setmetatable(L, PROCESS);
  c->patience = -1;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return raise_errno(L, "pipe");
  fflush(NULL);
  c->owner = getpid();
  c->pid = fork();
  if (c->pid == 0) run_fork(L, ends[1]);
  close(ends[1]);
  c->out = ends[0];
  if (c->pid < 0) return stop_child(c), raise_errno(L, "fork");
  c->reaped = false;
  read_to_end(L, c, c->out);
  while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
    continue;
  c->reaped = true;
  drop(&c->out);
  int s = c->status;
  lua_pushinteger(L, WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s));
  lua_insert(L, -2);
  return 2;
}

/* setrlimit("NOFILE" or "FSIZE"[, n]) -> old soft limit; -1: no limit */
static int l_setrlimit(lua_State *L) {
  static const char *const names[] = {"NOFILE", "FSIZE", "STACK", "AS", NULL};
  static const __rlimit_resource_t kinds[] = {RLIMIT_NOFILE, RLIMIT_FSIZE,
                                              RLIMIT_STACK, RLIMIT_AS};
  __rlimit_resource_t kind = kinds[luaL_checkoption(L, 1, NULL, names)];
  struct rlimit limit;
  if (getrlimit(kind, &limit) != 0) return raise_errno(L, "getrlimit");
  rlim_t old = limit.rlim_cur;
  if (!lua_isnoneornil(L, 2)) {
    limit.rlim_cur = (rlim_t)luaL_checkinteger(L, 2);
    if (setrlimit(kind, &limit) != 0) return raise_errno(L, "setrlimit");
  }
  lua_pushinteger(L, (lua_Integer)old);
  return 1;
}

static int l_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

static int l_kill(lua_State *L) {
  pid_t pid = (pid_t)luaL_checkinteger(L, 1);
  int sig = check_signal(L, 2, SIGTERM);
  if (pid <= 0) return luaL_argerror(L, 1, "a process id expected");
  lua_pushboolean(L, kill(pid, sig) == 0);
  return 1;
}

/* ignore(signal[, false]): ignored; with false, as by default again */
static int l_ignore(lua_State *L) {
  bool back = lua_isboolean(L, 2) && !lua_toboolean(L, 2);
  signal(check_signal(L, 1, SIGPIPE), back ? SIG_DFL : SIG_IGN);
  return 0;
}

/* alarm_signal(seconds, signal): once, to this process; a new one replaces
** the old one */
static int l_alarm_signal(lua_State *L) {
  static timer_t timer;
  static bool made = false;
  double when = luaL_checknumber(L, 1);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL};
  event.sigev_signo = check_signal(L, 2, SIGINT);
  if (made) timer_delete(timer);
  made = timer_create(CLOCK_MONOTONIC, &event, &timer) == 0;
  if (!made) return raise_errno(L, "timer_create");
  struct itimerspec spec = {.it_value = seconds(when > 0 ? when : 1e-9)};
  timer_settime(timer, 0, &spec, NULL);
  return 0;
}

static void return_at_once(lua_State *L, lua_Debug *frame) {
  (void)L, (void)frame;
}

/* quiet_hook(): sets a C hook for all events on this thread; the hook
** returns. */
static int l_quiet_hook(lua_State *L) {
  lua_sethook(L, return_at_once,
              LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
  return 0;
}

static int l_mkdtemp(lua_State *L) {
  const char *base = getenv("TMPDIR");
  char path[512];
  snprintf(path, sizeof path, "%s/curlew-XXXXXX", base ? base : "/tmp");
  if (!mkdtemp(path)) return raise_errno(L, path);
  lua_pushstring(L, path);
  return 1;
}

static int remove_one(const char *path, const struct stat *s, int kind,
                      struct FTW *f) {
  (void)s;
  (void)kind;
  (void)f;
  return remove(path);
}

/* remove_tree(path), of a folder that mkdtemp made and nothing else */
static int l_remove_tree(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_argcheck(L, strstr(path, "/curlew-") != NULL, 1, "not by mkdtemp");
  lua_pushboolean(L, nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
  return 1;
}

/* rss() -> KiB */
static int l_rss(lua_State *L) {
  long size = 0, resident = 0;
  FILE *f = fopen("/proc/self/statm", "re");
  if (!f) return raise_errno(L, "/proc/self/statm");
  char line[128] = "";
  char *rest = line;
  if (fgets(line, sizeof line, f)) size = strtol(line, &rest, 10);
  if (size > 0) resident = strtol(rest, NULL, 10);
  fclose(f);
  lua_pushinteger(L, resident * (sysconf(_SC_PAGESIZE) / 1024));
  return 1;
}

static int l_monotonic(lua_State *L) {
  lua_pushnumber(L, now());
  return 1;
}

/* nap(seconds): for the support's own waiting, not for specs */
static int l_nap(lua_State *L) {
  struct timespec t = seconds(luaL_checknumber(L, 1));
  nanosleep(&t, NULL);
  return 0;
}

/* poll(fd | nil, seconds | nil) -> whether it became readable in that time */
static int l_poll(lua_State *L) {
  struct pollfd p = {.fd = (int)luaL_optinteger(L, 1, -1), .events = POLLIN};
  int wait =
    lua_isnoneornil(L, 2) ? -1 : left_until(now() + lua_tonumber(L, 2));
  lua_pushboolean(L, poll(&p, 1, wait) > 0);
  return 1;
}

/* unread(fd, port) -> bytes that wait in a socket connected to 127.0.0.1:port;
** 0: it is none */
static int l_unread(lua_State *L) {
  int fd = (int)luaL_checkinteger(L, 1), n = 0;
  struct sockaddr_in peer = {.sin_family = AF_UNSPEC};
  socklen_t size = sizeof peer;
  bool mine = getpeername(fd, (struct sockaddr *)&peer, &size) == 0 &&
              peer.sin_family == AF_INET &&
              ntohs(peer.sin_port) == luaL_checkinteger(L, 2);
  if (mine && ioctl(fd, FIONREAD, &n) != 0) return raise_errno(L, "FIONREAD");
  lua_pushinteger(L, n);
  return 1;
}

static int l_setenv(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const char *value = luaL_optstring(L, 2, NULL);
  lua_pushboolean(L, (value ? setenv(name, value, 1) : unsetenv(name)) == 0);
  return 1;
}

static const luaL_Reg functions[] = {
  {"spawn", l_spawn},
  {"listen", l_listen},
  {"reserve", l_reserve},
  {"connect", l_connect},
  {"deafen", l_deafen},
  {"ask", l_ask},
  {"close", l_close},
  {"fds", l_fds},
  {"fork", l_fork},
  {"setrlimit", l_setrlimit},
  {"getpid", l_getpid},
  {"kill", l_kill},
  {"ignore", l_ignore},
  {"alarm_signal", l_alarm_signal},
  {"quiet_hook", l_quiet_hook},
  {"mkdtemp", l_mkdtemp},
  {"remove_tree", l_remove_tree},
  {"rss", l_rss},
  {"monotonic", l_monotonic},
  {"nap", l_nap},
  {"poll", l_poll},
  {"setenv", l_setenv},
  {"unread", l_unread},
  {NULL, NULL},
};

int luaopen_posix_support(lua_State *L);

int luaopen_posix_support(lua_State *L) {
  luaL_newmetatable(L, PROCESS);
  luaL_setfuncs(L, process_methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  return 1;
}
