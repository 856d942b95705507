/* peer: a server of canned bytes, told what to do over stdin and answering
** on stdout (spec/support/server.lua is its face). Each connection has a
** thread and runs the next script; the last script repeats. Test only.
** Built by
**   gcc -std=c11 -D_GNU_SOURCE -O2 -g spec/support/peer.c \
**     -o build/spec/peer -lssl -lcrypto -lpthread
** SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define PATIENCE 10  /* seconds that a question about the future may wait */
#define STACK 262144 /* bytes of a thread, of which there may be 1,000 */
#define PIECE 16384  /* bytes of one write, so that 'sent' is known closely */

typedef struct bytes {
  char *s;
  size_t n, room;
} bytes;

typedef struct script script;

typedef struct step {
  char verb[12];
  bytes data;   /* send, drip, piece; take: a number */
  script *body; /* loop */
} step;

struct script {
  size_t n;
  step *steps;
};

typedef struct conn {
  int fd;
  SSL *ssl;        /* NULL: plain */
  bytes in;        /* received and not yet used */
  bool h2;         /* what is sent are frames */
  bool greeted;    /* its preface has been read */
  uint32_t stream; /* of the last request */
  bool gone;
  struct conn *next;
} conn;

/* All that the threads share; under 'lock', each change is broadcast. */
static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  SSL_CTX *tls; /* NULL: plain */
  script **scripts;
  bytes *requests;
  conn *conns;
  size_t n_scripts, next_script, n_requests;
  size_t accepted, running, closed, sent, permits;
  bool resetting;
  int listener;
  bool stopping, stopped; /* no more connections are accepted */
} peer = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void enter(void) { pthread_mutex_lock(&peer.lock); }

static void leave(void) {
  pthread_cond_broadcast(&peer.changed);
  pthread_mutex_unlock(&peer.lock);
}

static void await_change(void) { pthread_cond_wait(&peer.changed, &peer.lock); }

/* ---- floor ---- */

static void die(const char *what) {
  fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *grow(void *p, size_t n) {
  void *q = realloc(p, n);
  if (!q) die("memory");
  return q;
}

static void add(bytes *b, const char *s, size_t n) {
  if (b->n + n > b->room) {
    b->room = 2 * b->room + n;
    b->s = grow(b->s, b->room);
  }
  if (n > 0) memcpy(b->s + b->n, s, n);
  b->n += n;
}

/* Gives the first n bytes away. */
static bytes cut_front(bytes *b, size_t n) {
  bytes front = {0};
  add(&front, b->s, n);
  memmove(b->s, b->s + n, b->n - n);
  b->n -= n;
  return front;
}

static void nap(long microseconds) {
  struct timespec t = {.tv_nsec = microseconds * 1000};
  nanosleep(&t, NULL);
}

/* ---- a connection's bytes ---- */

static void lost(conn *c) {
  enter();
  if (!c->gone) peer.closed++;
  c->gone = true;
  leave();
}

static ssize_t receive(conn *c, char *s, size_t n) {
  if (c->ssl) return SSL_read(c->ssl, s, (int)n);
  ssize_t got = 0;
  do
    got = recv(c->fd, s, n, 0);
  while (got < 0 && errno == EINTR);
  return got;
}

static bool more(conn *c) {
  char s[4096];
  ssize_t got = receive(c, s, sizeof s);
  if (got > 0) add(&c->in, s, (size_t)got);
  return got > 0;
}

static ssize_t transmit(conn *c, const char *s, size_t n) {
  if (c->ssl) return SSL_write(c->ssl, s, (int)n);
  ssize_t done = 0;
  do
    done = send(c->fd, s, n, MSG_NOSIGNAL);
  while (done < 0 && errno == EINTR);
  return done;
}

/* At most 'most' bytes in one write. */
static bool put(conn *c, const bytes *b, size_t most) {
  for (size_t at = 0; at < b->n;) {
    size_t n = b->n - at < most ? b->n - at : most;
    ssize_t done = transmit(c, b->s + at, n);
    if (done <= 0) return false;
    at += (size_t)done;
    enter();
    peer.sent += (size_t)done;
    leave();
  }
  return true;
}

/* Until the client's kernel has all of it, but 5 ms at most: it may delay
** its acknowledgement. */
static void let_it_read(conn *c) {
  int waiting = 1;
  for (int i = 0; i < 25 && waiting > 0; i++) {
    nap(200);
    if (ioctl(c->fd, SIOCOUTQ, &waiting) != 0) return;
  }
}

/* ---- requests ---- */

/* The offset behind the first 'mark' at or after 'from'; 0: not there. */
static size_t behind(const bytes *b, size_t from, const char *mark) {
  size_t n = strlen(mark);
  if (b->n < from + n) return 0;
  char *at = memmem(b->s + from, b->n - from, mark, n);
  return at ? (size_t)(at - b->s) + n : 0;
}

/* The same, and reads until it is there. */
static size_t read_behind(conn *c, size_t from, const char *mark) {
  size_t end = 0;
  while ((end = behind(&c->in, from, mark)) == 0)
    if (!more(c)) return 0;
  return end;
}

static bool read_upto(conn *c, size_t n) {
  while (c->in.n < n)
    if (!more(c)) return false;
  return true;
}

/* The value of a header of the head that ends at 'end', or NULL. */
static const char *header(const bytes *b, size_t end, const char *name) {
  size_t n = strlen(name);
  for (size_t at = behind(b, 0, "\r\n"); at != 0 && at + n < end;
       at = behind(b, at, "\r\n"))
    if (strncasecmp(b->s + at, name, n) == 0) return b->s + at + n;
  return NULL;
}

/* The offset behind a chunked body that starts at 'at'; 0: cut short. */
static size_t read_chunks(conn *c, size_t at) {
  for (;;) {
    size_t data = read_behind(c, at, "\r\n");
    if (data == 0) return 0;
    size_t n = strtoul(c->in.s + at, NULL, 16);
    if (n == 0) break;
    at = data + n + 2;
    if (!read_upto(c, at)) return 0;
  }
  for (size_t line = at; (line = read_behind(c, at, "\r\n")) != 0; at = line)
    if (line == at + 2) return line;
  return 0;
}

static size_t read_body(conn *c, size_t end) {
  if (header(&c->in, end, "Transfer-Encoding: chunked"))
    return read_chunks(c, end);
  const char *length = header(&c->in, end, "Content-Length:");
  if (length) end += strtoul(length, NULL, 10);
  return read_upto(c, end) ? end : 0;
}

static void record(bytes request) {
  enter();
  size_t n = ++peer.n_requests;
  peer.requests = grow(peer.requests, n * sizeof *peer.requests);
  peer.requests[n - 1] = request;
  leave();
}

static bool read_http1(conn *c) {
  size_t end = read_behind(c, 0, "\r\n\r\n");
  if (end > 0) end = read_body(c, end);
  if (end == 0) return false;
  record(cut_front(&c->in, end));
  return true;
}

/* ---- HTTP/2 (RFC 9113), as much as it takes to be asked ---- */

enum { H2_PREFACE = 24, H2_FRAME = 9 };
enum { H2_DATA = 0, H2_HEADERS = 1, H2_SETTINGS = 4, H2_PING = 6 };
enum { H2_END_STREAM = 1, H2_ACK = 1 };

/* What scripts call the stream of the last request. */
static const uint32_t H2_THIS_STREAM = 0x7fffffff;

typedef struct frame {
  size_t length;
  uint8_t type, flags;
  uint32_t stream;
} frame;

static uint32_t number(const uint8_t *s, size_t n) {
  uint32_t value = 0;
  while (n-- > 0)
    value = value << 8 | *s++;
  return value;
}

static frame frame_at(const bytes *b, size_t at) {
  const uint8_t *s = (const uint8_t *)b->s + at;
  return (frame){.length = number(s, 3),
                 .type = s[3],
                 .flags = s[4],
                 .stream = number(s + 5, 4) & H2_THIS_STREAM};
}

/* The frames of 'b' that name no stream of their own belong to this one's. */
static bytes addressed(const conn *c, const bytes *b) {
  bytes out = {0};
  add(&out, b->s, b->n);
  for (size_t at = 0; at + H2_FRAME <= out.n;) {
    frame f = frame_at(&out, at);
    for (int i = 0; f.stream == H2_THIS_STREAM && i < 4; i++)
      out.s[at + 5 + (size_t)i] = (char)(c->stream >> (24 - 8 * i));
    at += H2_FRAME + f.length;
  }
  return out;
}

/* The next frame, which stays in front of what has come. */
static bool read_frame(conn *c, frame *f) {
  if (!read_upto(c, H2_FRAME)) return false;
  *f = frame_at(&c->in, 0);
  return read_upto(c, H2_FRAME + f->length);
}

static bool acknowledge(conn *c, const frame *f) {
  enum { PING = 8 }; /* bytes of one */
  char answer[H2_FRAME + PING] = {0};
  bool pinged = f->type == H2_PING && f->length == PING;
  bool asks = pinged || f->type == H2_SETTINGS;
  if (!asks || f->flags & H2_ACK) return true;
  size_t n = pinged ? sizeof answer : H2_FRAME;
  if (pinged) memcpy(answer, c->in.s, n);
  answer[3] = (char)f->type;
  answer[4] = H2_ACK;
  return transmit(c, answer, n) > 0;
}

static bool greet(conn *c) {
  static const char settings[] = "\0\0\0\4\0\0\0\0";
  if (c->greeted) return true;
  c->greeted = true;
  if (!read_upto(c, H2_PREFACE)) return false;
  free(cut_front(&c->in, H2_PREFACE).s);
  return transmit(c, settings, sizeof settings) > 0;
}

/* Up to the end of the next stream's; records the frames as they came. */
static bool read_http2(conn *c) {
  frame f = {0};
  bytes request = {0};
  bool ended = false;
  if (!greet(c)) return false;
  while (!ended && read_frame(c, &f) && acknowledge(c, &f)) {
    bytes all = cut_front(&c->in, H2_FRAME + f.length);
    bool ours = f.type == H2_HEADERS || f.type == H2_DATA;
    if (f.type == H2_HEADERS) c->stream = f.stream;
    ended = ours && f.flags & H2_END_STREAM;
    if (ours) add(&request, all.s, all.n);
    free(all.s);
  }
  record(request);
  return ended;
}

static bool read_request(conn *c) {
  return c->h2 ? read_http2(c) : read_http1(c);
}

static bool read_head(conn *c) {
  size_t end = read_behind(c, 0, "\r\n\r\n");
  if (end > 0) record(cut_front(&c->in, end));
  return end > 0;
}

static bool take_bytes(conn *c, const bytes *count) {
  size_t all = strtoul(count->s, NULL, 10);
  if (!read_upto(c, all)) return false;
  record(cut_front(&c->in, all));
  return true;
}

static bool put_step(conn *c, const bytes *b, size_t most) {
  if (!c->h2) return put(c, b, most);
  bytes frames = addressed(c, b);
  bool done = put(c, &frames, most);
  free(frames.s);
  return done;
}

/* ---- steps; each says whether the script goes on ---- */

static void set_nodelay(conn *c) {
  int on = 1;
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static bool take_permit(void) {
  enter();
  while (peer.permits == 0 && !peer.resetting)
    await_change();
  bool go = !peer.resetting;
  if (go) peer.permits--;
  leave();
  return go;
}

/* Silent until the client closes; what it still says is thrown away. Below
** TLS, whose end is of no interest any more. */
static void linger(conn *c) {
  char s[4096];
  ssize_t got = 0;
  do
    got = recv(c->fd, s, sizeof s, 0);
  while (got > 0 || (got < 0 && errno == EINTR));
}

static void half_close(conn *c, bool notify) {
  if (c->ssl && notify) SSL_shutdown(c->ssl);
  if (!c->ssl || !notify) shutdown(c->fd, SHUT_WR);
}

static bool do_close(conn *c, bool notify) {
  half_close(c, notify);
  shutdown(c->fd, SHUT_WR);
  linger(c);
  return false;
}

static bool do_reset(conn *c) {
  struct linger at_once = {.l_onoff = 1};
  setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  enter();
  c->gone = true; /* by us */
  leave();
  return false;
}

/* Stays open as long as this process lives. */
static void dial(void) {
  struct sockaddr_in a;
  socklen_t n = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (fd < 0 || getsockname(peer.listener, (struct sockaddr *)&a, &n) != 0)
    die("dial");
  if (connect(fd, (struct sockaddr *)&a, n) != 0 && errno != EINPROGRESS)
    die("connect");
}

/* Whether it is the first thread that says so. */
static bool stop_listening(void) {
  enter();
  bool first = !peer.stopping;
  peer.stopping = true;
  leave();
  return first;
}

static bool has_stopped(void) {
  enter();
  bool stopped = peer.stopped = peer.stopping;
  leave();
  return stopped;
}

/* The listening thread takes the first of these connections and stops. The next
** two fill the queue, so that the kernel drops what comes after them. */
static bool do_deafen(void) {
  if (!stop_listening()) return true;
  if (listen(peer.listener, 0) != 0) die("listen");
  dial();
  enter();
  while (!peer.stopped)
    await_change();
  leave();
  dial();
  dial();
  return true;
}

static bool do_refuse(void) {
  if (stop_listening()) shutdown(peer.listener, SHUT_RDWR);
  return true;
}

static bool do_piece(conn *c, const bytes *b) {
  if (!put_step(c, b, b->n)) return false;
  let_it_read(c);
  return true;
}

static bool run(conn *c, const script *s);

static bool run_step(conn *c, const step *s) {
  const char *verb = s->verb;
  if (strcmp(verb, "request") == 0) return read_request(c);
  if (strcmp(verb, "head") == 0) return read_head(c);
  if (strcmp(verb, "take") == 0) return take_bytes(c, &s->data);
  if (strcmp(verb, "send") == 0) return put_step(c, &s->data, PIECE);
  if (strcmp(verb, "drip") == 0) return put_step(c, &s->data, 1);
  if (strcmp(verb, "piece") == 0) return do_piece(c, &s->data);
  if (strcmp(verb, "wait") == 0) return take_permit();
  if (strcmp(verb, "hold") == 0) return linger(c), false;
  if (strcmp(verb, "close") == 0) return do_close(c, true);
  if (strcmp(verb, "cut") == 0) return do_close(c, false);
  if (strcmp(verb, "reset") == 0) return do_reset(c);
  if (strcmp(verb, "deafen") == 0) return do_deafen();
  if (strcmp(verb, "refuse") == 0) return do_refuse();
  if (strcmp(verb, "shutdown") == 0) return half_close(c, true), true;
  while (s->body && s->body->n > 0) /* loop */
    if (!run(c, s->body)) return false;
  return true;
}

static bool is_verb(const script *s, size_t i, const char *verb) {
  return i < s->n && strcmp(s->steps[i].verb, verb) == 0;
}

/* The end goes out in the segment of the last bytes. A client that has these
** sees the end, too, before it can use the connection again. */
static void join_end(conn *c, const script *s, size_t i) {
  int on = 1;
  bool ends = is_verb(s, i + 1, "close") || is_verb(s, i + 1, "cut");
  if (ends && is_verb(s, i, "send"))
    setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on);
}

static bool run(conn *c, const script *s) {
  for (size_t i = 0; i < s->n; i++) {
    join_end(c, s, i);
    if (!run_step(c, &s->steps[i])) return false;
  }
  return true;
}

/* ---- connections ---- */

static const script *next_script(void) {
  enter();
  while (peer.n_scripts == 0 && !peer.resetting)
    await_change();
  if (peer.next_script < peer.n_scripts) peer.next_script++;
  const script *s = peer.resetting ? NULL : peer.scripts[peer.next_script - 1];
  leave();
  return s;
}

/* Who is not let in is told so, and may read it in peace. */
static bool start_tls(conn *c) {
  if (!peer.tls) return true;
  c->ssl = SSL_new(peer.tls);
  if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1) return false;
  if (SSL_accept(c->ssl) != 1) {
    if (SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE) do_close(c, false);
    return false;
  }
  const unsigned char *agreed = NULL;
  unsigned n = 0;
  SSL_get0_alpn_selected(c->ssl, &agreed, &n);
  c->h2 = n == 2;
  return true;
}

static void forget(conn *c) {
  enter();
  conn **at = &peer.conns;
  while (*at != c)
    at = &(*at)->next;
  *at = c->next;
  leave();
}

static void end_conn(conn *c) {
  forget(c);
  SSL_free(c->ssl);
  close(c->fd);
  free(c->in.s);
  free(c);
  enter();
  peer.running--;
  leave();
}

static void *serve(void *arg) {
  conn *c = arg;
  const script *s = start_tls(c) ? next_script() : NULL;
  if (s && run(c, s)) do_close(c, true); /* a script that just ends */
  lost(c);
  end_conn(c);
  ERR_clear_error();
  return NULL;
}

static void admit(int fd) {
  conn *c = calloc(1, sizeof *c);
  if (!c) die("memory");
  c->fd = fd;
  set_nodelay(c);
  enter();
  c->next = peer.conns;
  peer.conns = c;
  peer.accepted++;
  peer.running++;
  leave();
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, STACK);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  pthread_t t;
  if (pthread_create(&t, &small, serve, c) != 0) die("thread");
  pthread_attr_destroy(&small);
}

static void *listen_on(void *arg) {
  (void)arg;
  for (;;) {
    int fd = accept(peer.listener, NULL, NULL);
    if (has_stopped()) return NULL;
    if (fd >= 0)
      admit(fd);
    else if (errno != EINTR && errno != ECONNABORTED)
      die("accept");
  }
  return NULL;
}

static int bind_loopback(int *port) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t n = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) != 0) die("bind");
  if (listen(fd, 4096) != 0) die("listen");
  if (getsockname(fd, (struct sockaddr *)&a, &n) != 0) die("getsockname");
  *port = ntohs(a.sin_port);
  return fd;
}

/* ---- scripts, as told ---- */

static void free_script(script *s) {
  if (!s) return;
  for (size_t i = 0; i < s->n; i++) {
    free(s->steps[i].data.s);
    free_script(s->steps[i].body);
  }
  free(s->steps);
  free(s);
}

static bytes told_bytes(size_t n) {
  bytes b = {.s = grow(NULL, n + 1), .n = n, .room = n + 1};
  if (fread(b.s, 1, n, stdin) != n) _exit(0);
  b.s[n] = '\0';
  return b;
}

static script *told_script(size_t n);

/* "VERB" or "VERB N": N bytes follow, or N steps after "loop" */
static step told_step(void) {
  char line[64];
  if (!fgets(line, sizeof line, stdin)) _exit(0);
  step s = {0};
  char *number = strchr(line, ' ');
  size_t n = number ? strtoul(number, NULL, 10) : 0;
  size_t verb = strcspn(line, " \n");
  if (verb < sizeof s.verb) memcpy(s.verb, line, verb);
  if (strcmp(s.verb, "loop") == 0)
    s.body = told_script(n);
  else if (number)
    s.data = told_bytes(n);
  return s;
}

static script *told_script(size_t n) {
  script *s = grow(NULL, sizeof *s);
  *s = (script){.n = n, .steps = grow(NULL, (n + 1) * sizeof *s->steps)};
  for (size_t i = 0; i < n; i++)
    s->steps[i] = told_step();
  return s;
}

/* ---- answers: "ok N", "bytes N" + N bytes, "list N" + N times bytes,
** "error TEXT" ---- */

static void say(const char *form, ...) {
  va_list args;
  va_start(args, form);
  vprintf(form, args);
  va_end(args);
}

static void say_bytes(const bytes *b) {
  say("bytes %zu\n", b->n);
  fwrite(b->s, 1, b->n, stdout);
}

/* Whether *count came to n in time. Under the lock. */
static bool reaches(const size_t *count, size_t n) {
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &end);
  end.tv_sec += PATIENCE;
  while (*count < n)
    if (pthread_cond_timedwait(&peer.changed, &peer.lock, &end) == ETIMEDOUT)
      break;
  return *count >= n;
}

static void answer_script(size_t n) {
  script *s = told_script(n);
  enter();
  size_t count = ++peer.n_scripts;
  peer.scripts = grow(peer.scripts, count * sizeof(script *));
  peer.scripts[count - 1] = s;
  leave();
  say("ok %zu\n", count);
}

static void answer_request(size_t n) {
  enter();
  if (reaches(&peer.n_requests, n))
    say_bytes(&peer.requests[n - 1]);
  else
    say("error request %zu has not come in %d s, %zu have\n", n, PATIENCE,
        peer.n_requests);
  leave();
}

static void answer_requests(size_t n) {
  (void)n;
  enter();
  say("list %zu\n", peer.n_requests);
  for (size_t i = 0; i < peer.n_requests; i++)
    say_bytes(&peer.requests[i]);
  leave();
}

static void answer_closed(size_t n) {
  enter();
  if (reaches(&peer.closed, n))
    say("ok %zu\n", peer.closed);
  else
    say("error %zu connections have not ended in %d s, %zu have\n", n, PATIENCE,
        peer.closed);
  leave();
}

static void answer_connections(size_t n) {
  (void)n;
  enter();
  say("ok %zu\n", peer.accepted);
  leave();
}

static void answer_sent(size_t n) {
  (void)n;
  enter();
  say("ok %zu\n", peer.sent);
  leave();
}

static void answer_go(size_t n) {
  enter();
  peer.permits += n;
  leave();
  say("ok 0\n");
}

/* Ends every connection, then forgets everything. */
static void answer_reset(size_t n) {
  (void)n;
  enter();
  peer.resetting = true;
  pthread_cond_broadcast(&peer.changed);
  for (conn *c = peer.conns; c; c = c->next)
    shutdown(c->fd, SHUT_RDWR);
  while (peer.running > 0)
    await_change();
  for (size_t i = 0; i < peer.n_scripts; i++)
    free_script(peer.scripts[i]);
  for (size_t i = 0; i < peer.n_requests; i++)
    free(peer.requests[i].s);
  peer.n_scripts = peer.next_script = peer.n_requests = 0;
  peer.accepted = peer.closed = peer.sent = peer.permits = 0;
  peer.resetting = false;
  leave();
  say("ok 0\n");
}

static const struct {
  const char *name;
  void (*answer)(size_t n);
} commands[] = {
  {"script", answer_script},
  {"request", answer_request},
  {"requests", answer_requests},
  {"closed", answer_closed},
  {"connections", answer_connections},
  {"sent", answer_sent},
  {"go", answer_go},
  {"reset", answer_reset},
};

static void obey(const char *line) {
  size_t verb = strcspn(line, " \n");
  size_t n = strtoul(line + verb, NULL, 10);
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    const char *name = commands[i].name;
    if (strlen(name) != verb || strncmp(line, name, verb) != 0) continue;
    commands[i].answer(n);
    return;
  }
  say("error unknown command: %s", line);
}

/* ---- start ---- */

static SSL_CTX *tls_context(const char *cert, const char *key) {
  SSL_CTX *t = SSL_CTX_new(TLS_server_method());
  if (t && SSL_CTX_use_certificate_chain_file(t, cert) == 1 &&
      SSL_CTX_use_PrivateKey_file(t, key, SSL_FILETYPE_PEM) == 1)
    return t;
  ERR_print_errors_fp(stderr);
  exit(1);
}

/* Clients have to show a certificate of one of these CAs. */
static void ask_clients(SSL_CTX *t, const char *ca) {
  SSL_CTX_set_verify(t, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     NULL);
  SSL_CTX_set_session_id_context(t, (const unsigned char *)"peer", 4);
  if (SSL_CTX_load_verify_locations(t, ca, NULL) != 1) die(ca);
}

/* For "h2" alone; who does not offer it speaks HTTP/1. */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_n,
                   const unsigned char *in, unsigned in_n, void *unused) {
  (void)ssl, (void)unused;
  for (unsigned at = 0; at + 3 <= in_n; at += in[at] + 1u) {
    if (in[at] != 2 || memcmp(in + at + 1, "h2", 2) != 0) continue;
    *out = in + at + 1;
    *out_n = 2;
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

static void raise_nofile(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void init_changed(void) {
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&peer.changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
}

int main(int argc, char **argv) {
  int port = 0;
  char line[256];
  pthread_t t;
  signal(SIGPIPE, SIG_IGN);
  signal(SIGINT, SIG_IGN); /* Ctrl-C is the suite's; stdin tells the end */
  raise_nofile();
  init_changed();
  if (argc >= 3) peer.tls = tls_context(argv[1], argv[2]);
  for (int i = 3; i < argc; i++) {
    if (strcmp(argv[i], "h2") == 0)
      SSL_CTX_set_alpn_select_cb(peer.tls, on_alpn, NULL);
    else
      ask_clients(peer.tls, argv[i]);
  }
  peer.listener = bind_loopback(&port);
  if (pthread_create(&t, NULL, listen_on, NULL) != 0) die("thread");
  printf("%d\n", port);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    obey(line);
    fflush(stdout);
  }
  _exit(0);
}
