import type { ClientState, SeenHead } from '../ports/client-state.ts';

/** Notices a store that goes back while the process runs, and no longer. */
export class MemoryClientState implements ClientState {
  private readonly heads = new Map<string, SeenHead>();

  async readHead(repository: string): Promise<SeenHead | undefined> {
    return this.heads.get(repository);
  }

  async writeHead(repository: string, head: SeenHead): Promise<void> {
    this.heads.set(repository, head);
  }
}
