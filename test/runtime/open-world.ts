/** Nodes that let everybody in, for tests: their directories, and what has to be closed again. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client } from "../../src/client/api.ts";
import type { NodeConfig } from "../../src/runtime/config.ts";
import { type RunningNode, startNode } from "../../src/runtime/server.ts";

/** Small and quick: few partitions, and no wait for the disk where a test is not about it. */
export function startSmall(data: string, more: Partial<NodeConfig>): Promise<RunningNode> {
  return startNode({
    data,
    listen: "127.0.0.1:0",
    durability: "os",
    memtableBytes: 1 << 20,
    cacheBytes: 1 << 20,
    ...(more.join === undefined ? { partitions: 16 } : {}),
    ...more,
  });
}

export class OpenWorld {
  readonly directory = mkdtempSync(join(tmpdir(), "everwrite-node-"));
  readonly #closers: (() => Promise<unknown>)[] = [];

  path(name: string): string {
    return join(this.directory, name);
  }

  async start(name: string, more: Partial<NodeConfig> = {}): Promise<RunningNode> {
    const node = await startSmall(this.path(name), more);
    // A node whose disk failed has told so already.
    this.#closers.push(() => node.close().catch(() => undefined));
    return node;
  }

  async connect(node: RunningNode): Promise<Client> {
    const client = await node.client();
    this.#closers.push(() => client.close());
    return client;
  }

  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
