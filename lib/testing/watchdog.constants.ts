/**
 * Shell program that runs the server and does not let it outlive the process that started it.
 *
 * File descriptor 3 is the lifeline: a two-way pipe whose other end only the starting process holds, so the kernel closes it
 * however that process ends. The shell writes the server's pid to it and then waits on it. A line means that the server has
 * ended: the shell collects it and passes its exit code on. The end of the stream means that the starter is gone: the shell kills
 * the server and removes its scratch directory. There is no moment in which the server runs unwatched, and no process is left for
 * init to collect while the starter lives.
 *
 * Arguments: scratch directory, server command, its arguments. Signals are ignored only after the server was started, because it
 * would inherit that; the broken pipe among them, because the starter may be gone before the pid is written.
 * @internal
 */
export const WATCHDOG_SCRIPT = `
scratch=$1
shift
exec 4<&0
"$@" <&4 3<&- 4<&- &
server=$!
trap '' HUP INT PIPE TERM
exec </dev/null >/dev/null 2>&1 4<&-
echo "$server" >&3
if read -r line <&3; then
  wait "$server"
  exit "$?"
fi
kill -KILL "$server"
wait "$server"
rm -rf "$scratch"
`;
