/**
 * The last part of what a server printed.
 *
 * @internal
 */
export class ServerOutput {
  private text = '';

  constructor(
    private readonly listener?: (text: string) => void,
    private readonly limit = 512 * 1024,
  ) {}

  append(chunk: string): void {
    this.text = (this.text + chunk).slice(-this.limit);
    this.listener?.(chunk);
  }

  toString(): string {
    return this.text;
  }

  /** The last lines, for error messages. */
  tail(lines = 20): string {
    return this.text.trimEnd().split('\n').slice(-lines).join('\n');
  }
}
