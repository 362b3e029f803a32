/**
 * Shell program that turns itself into the server, leaving a watchdog behind.
 *
 * File descriptor 3 is a lifeline: a pipe whose other end only the starting process holds, so the kernel closes it however that
 * process ends. The watchdog waits on it. A line means that the server has ended and all is well; the end of the stream means
 * that the starter is gone, and the watchdog kills the server and removes its scratch directory. Because the shell forks the
 * watchdog first and then becomes the server, there is no moment in which the server runs unwatched, and the pid that the
 * starter sees is the server's own.
 *
 * Arguments: scratch directory, server command, its arguments. The directory is removed twice because a dying server may still
 * write into it.
 * @internal
 */
export const WATCHDOG_SCRIPT = `
server=$$
(
  trap '' HUP INT TERM
  read -r line <&3 && exit
  kill -KILL "$server"
  rm -rf "$1"
  sleep 1
  rm -rf "$1"
) </dev/null >/dev/null 2>&1 &
exec 3<&-
shift
exec "$@"
`;
