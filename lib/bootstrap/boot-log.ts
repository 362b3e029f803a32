/** Where the boot says what it does. Nest's `Logger` is one. @internal */
export interface BootLog {
  log(message: string): void;
  debug(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}
