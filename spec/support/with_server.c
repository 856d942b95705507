/* with_server: runs a command beside a server that answers every request with
** "hello". The url is the command's last argument. Plain POSIX, for systems
** that have nothing else to test with. Test only.
**   with_server COMMAND [arguments]
** SPDX-License-Identifier: MIT */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* The end of a request's headers may come in any number of pieces. */
static void answer(int fd) {
  static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                             "Connection: close\r\n\r\nhello";
  char head[8192] = "";
  size_t size = 0;
  while (!strstr(head, "\r\n\r\n") && size < sizeof head - 1) {
    ssize_t n = read(fd, head + size, sizeof head - 1 - size);
    if (n <= 0) return;
    size += (size_t)n;
    head[size] = '\0';
  }
  if (write(fd, text, sizeof text - 1) < 0) perror("write");
}

static void serve(int listener) {
  signal(SIGPIPE, SIG_IGN);
  alarm(120); /* in case the parent has died */
  for (;;) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) continue;
    answer(fd);
    close(fd);
  }
}

/* A listening socket of the loopback; its url is written to 'url'. */
static int listen_on_any(char *url, size_t size) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  socklen_t length = sizeof a;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, length) != 0 ||
      listen(fd, 16) != 0 ||
      getsockname(fd, (struct sockaddr *)&a, &length) != 0)
    return -1;
  snprintf(url, size, "http://127.0.0.1:%d/", ntohs(a.sin_port));
  return fd;
}

/* Returns the status of the command. */
static int run(char **argv) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
  }
  if (pid < 0 || waitpid(pid, &status, 0) != pid) return 1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv) {
  char url[64];
  int listener = argc > 1 ? listen_on_any(url, sizeof url) : -1;
  if (listener < 0) return 2;
  pid_t server = fork();
  if (server < 0) return 2;
  if (server == 0) serve(listener);
  close(listener);
  char **command = calloc((size_t)argc + 1, sizeof *command);
  if (!command) return 2;
  memcpy(command, argv + 1, (size_t)(argc - 1) * sizeof *command);
  command[argc - 1] = url;
  int status = run(command);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  free(command);
  return status;
}
