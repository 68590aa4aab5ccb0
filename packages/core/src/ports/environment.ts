/** Wall and monotonic time. Replaced whole by a simulator; nothing below an entry point reads another clock. */
export interface Clock {
  /** Nanoseconds since 1970, UTC. */
  nowNs(): bigint;
  /** Milliseconds of a clock that never goes back; only differences mean something. */
  monotonicMs(): number;
}

/** Source of random bytes. Production: the operating system's generator. */
export interface Random {
  bytes(length: number): Uint8Array;
}

/** Time and randomness, which nothing in core takes from anywhere else. */
export interface Environment {
  readonly clock: Clock;
  readonly random: Random;
}
