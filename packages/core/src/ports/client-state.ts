/** The newest log entry that this client has seen of a repository. */
export interface SeenHead {
  readonly seq: number;
  /** Hex SHA-256 of that slot's object; of `config` when `seq` is 0. */
  readonly hash: string;
}

/**
 * What a client must remember between runs to notice a store that went back. Kept apart from caches: deleting a cache must
 * not weaken it.
 */
export interface ClientState {
  /** The head remembered for a repository (32 hex digits), or undefined at first contact. */
  readHead(repository: string): Promise<SeenHead | undefined>;
  writeHead(repository: string, head: SeenHead): Promise<void>;
}
