/** Nodes that are remembered, half a megabyte of them. More than that push each other out, and then cost a little more. */
const SLOTS = 65_536;

/**
 * Nodes of which it is known that they have no extended attributes, in memory that threads share: `ls -l` asks for each file
 * whether it has some, and the thread that reads requests can say no without waking another one. Numbers of nodes never mean
 * something else later, so what is in the table stays true.
 */
export class PlainNodes {
  readonly shared: SharedArrayBuffer;
  private readonly nodes: Float64Array;

  /** @param shared the memory of another one. */
  constructor(shared = new SharedArrayBuffer(SLOTS * Float64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.nodes = new Float64Array(shared);
  }

  add(node: number): void {
    this.nodes[node % SLOTS] = node;
  }

  has(node: number): boolean {
    return this.nodes[node % SLOTS] === node;
  }
}
