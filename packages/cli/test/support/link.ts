import { spawnBound } from '@cairn/core/testing';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('link.py', import.meta.url));

/** How the wire is. */
export interface Weather {
  /** Milliseconds each way. */
  readonly delay_ms?: number;
  /** Share of packets that are lost, each way. */
  readonly loss?: number;
  readonly cut?: boolean;
}

/** Two network namespaces with a wire between them, whose weather can change. */
export class Link implements AsyncDisposable {
  /** Addresses of the two ends. */
  static readonly near = '10.77.0.1';
  static readonly far = '10.77.0.2';
  private readonly child: ChildProcess;
  private readonly namespaces: readonly string[];

  private constructor(child: ChildProcess, namespaces: readonly string[]) {
    this.child = child;
    this.namespaces = namespaces;
  }

  /** Rejects with what this machine lacks: it takes root, and a container may forbid it. */
  static async start(): Promise<Link> {
    const child = spawnBound('/usr/bin/python3', [PROGRAM], { stdio: ['pipe', 'pipe', 'pipe'] });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').once('data', resolve);
      child.once('exit', () => reject(new Error(said.trim().split('\n').at(-1))));
    });
    return new Link(child, JSON.parse(line) as string[]);
  }

  /** What a command begins with to run at that end. */
  at(end: 'near' | 'far'): readonly string[] {
    return ['nsenter', `--net=${this.namespaces[end === 'near' ? 0 : 1]}`];
  }

  change(weather: Weather): void {
    this.child.stdin?.write(`${JSON.stringify(weather)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = once(this.child, 'exit');
    this.child.stdin?.end();
    await exited;
  }
}
