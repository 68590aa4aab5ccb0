/** Numbers of this process since it began, for `/metrics`. */
export class Counters {
  /** Requests by method and status: `PUT 201`. */
  readonly requests = new Map<string, number>();
  bytesIn = 0;
  bytesOut = 0;
  refusedCredentials = 0;

  answered(method: string, status: number): void {
    const key = `${method} ${status}`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
  }
}
