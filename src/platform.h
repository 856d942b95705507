/* platform: what differs between systems. Knows libc.
** SPDX-License-Identifier: MIT */
#ifndef CURLEW_PLATFORM_H
#define CURLEW_PLATFORM_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Calls that only Linux has. CURLEW_PORTABLE leaves them out, so that the
** portable paths can be tested on Linux (make portable). */
#if defined(__linux__) && !defined(CURLEW_PORTABLE)
#define CW_HAS_EPOLL 1 /* and eventfd */
#define CW_HAS_PPOLL 1
#define CW_HAS_POLLRDHUP 1
#define CW_HAS_SOCK_CLOEXEC 1
#define CW_HAS_GETRANDOM 1
#define CW_HAS_SO_DOMAIN 1
#define CW_HAS_QUICKACK 1
#define CW_HAS_PIPE_SIZE 1
#else
#define CW_HAS_EPOLL 0
#define CW_HAS_PPOLL 0
#define CW_HAS_POLLRDHUP 0
#define CW_HAS_SOCK_CLOEXEC 0
#define CW_HAS_GETRANDOM 0
#define CW_HAS_SO_DOMAIN 0
#define CW_HAS_QUICKACK 0
#define CW_HAS_PIPE_SIZE 0
#endif

/* macOS has SO_NOSIGPIPE instead; libcurl sets it on its sockets. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif

/* The text of the system's error 'number', perhaps in 'text'. Unlike strerror
** it can be called by several threads. */
const char *cw_strerror(int number, char *text, size_t size);

/* The two kinds of strerror_r: the one of glibc returns the text, the one of
** POSIX returns 0 and writes the text. Both are functions so that a test can
** call them. */
const char *cw_strerror_of_gnu(const char *result, const char *text);
const char *cw_strerror_of_posix(int result, int number, char *text,
                                 size_t size);

/* Fills 'bytes' with random bytes of the system. False: it has none. */
bool cw_random(void *bytes, size_t n);

/* socket() with the flag close-on-exec. */
int cw_socket(int family, int type, int protocol);

/* poll() with a limit in microseconds; negative: none. Where the system has no
** ppoll, the limit is rounded up to milliseconds. */
int cw_poll(struct pollfd *set, size_t n, int64_t us);

/* Whether the peer has ended the connection on 'socket'. Without POLLRDHUP an
** end behind unread bytes is not seen. */
bool cw_peer_has_ended(int socket);

/* The address family of 'socket'; AF_UNSPEC: it is no socket. */
int cw_socket_family(int socket);

/* Acknowledges what has come on a TCP socket without delay. Does nothing where
** the system has no TCP_QUICKACK. */
void cw_socket_acknowledge(int socket);

/* Gives a pipe room for 1 MiB, so that its writer waits less often. Does
** nothing where the size of a pipe cannot be set. */
void cw_pipe_widen(int fd);

enum { CW_BOOT_ID_MAX = 64 };

/* The text that names the current boot of the machine. False: the system has
** none. */
bool cw_boot_id(char text[CW_BOOT_ID_MAX]);

#endif
