import type { Stdout } from './stdout.ts';

/** Columns of a terminal that does not tell them. */
const COLUMNS = 80;

/** What a command says besides its result: on standard error, where a progress line may stand meanwhile. */
export class Messages {
  private readonly stream: NodeJS.WriteStream;
  private readonly output: Stdout;
  private readonly quiet: boolean;
  private readonly wantsProgress: boolean;
  readonly verbose: boolean;
  /** Something was told that the exit status has to say, too. */
  doubted = false;
  /** The progress line at the cursor; empty when there is none. */
  private progress = '';

  /** @param output the results: what was printed before a message stands before it. */
  constructor(
    stream: NodeJS.WriteStream,
    output: Stdout,
    options: { readonly quiet: boolean; readonly verbose: boolean; readonly progress: boolean },
  ) {
    this.stream = stream;
    this.output = output;
    this.wantsProgress = options.progress && !options.quiet;
    this.quiet = options.quiet;
    this.verbose = options.verbose;
  }

  /** True when a progress line makes sense: somebody looks, and wants to. */
  get showsProgress(): boolean {
    return this.stream.isTTY === true && this.wantsProgress;
  }

  /** Columns of the terminal. */
  get columns(): number {
    return this.stream.columns || COLUMNS;
  }

  /** Something good to know; not said with --quiet. */
  info(text: string): void {
    if (!this.quiet) this.write(text);
  }

  /** Details, said with --verbose only. */
  detail(text: string): void {
    if (this.verbose) this.write(text);
  }

  /** Something that the user should act on; --quiet does not hide it. */
  warn(text: string): void {
    this.write(`cairn: warning: ${text}`);
  }

  /** A warning about the repository as a whole: a command that ends well ends with `EXIT_INCOMPLETE` after it. */
  doubt(text: string): void {
    this.doubted = true;
    this.warn(text);
  }

  /** Shows a line that the next one replaces; the empty text removes it. */
  showProgress(line: string): void {
    if (!this.showsProgress || line === this.progress) return;
    // CR, the line, and EL (ECMA-48) to remove what was longer before.
    this.stream.write(`\r${line}\u001b[K`);
    this.progress = line;
  }

  write(text: string): void {
    const shown = this.progress;
    this.showProgress('');
    // What the reader of results is too slow for is waited for by who prints them.
    void this.output.flush();
    this.stream.write(`${text}\n`);
    if (shown !== '') this.showProgress(shown);
  }
}
