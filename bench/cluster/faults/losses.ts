/**
 * A node that freezes, and one that dies, under load: what the clients of the others notice.
 */
import type { Fact } from "../../scene.ts";
import { ours } from "../../table.ts";
import { stopAll } from "../servers.ts";
import { startNodes } from "../stores/everwrite.ts";
import { connectRecords, type FaultRequest, fill, record, sleep } from "./recording.ts";

/** A mute node is given up after 10 ms, or four times what is usual; the rest is the answer. */
const hedgeMsMost = 50;
/** 99.999 % are to succeed. */
const failedMost = 10;
const killedMsMost = 300;

/** One of three nodes is stopped with SIGSTOP for a while: it keeps its connections and is mute. */
export async function frozen(request: FaultRequest): Promise<Fact[]> {
  const { directory, seconds } = request;
  const nodes = await startNodes({ directory, nodes: 3, durability: "os" });
  const frozenPid = nodes.at(-1)?.server.pid ?? 0;
  try {
    const client = await connectRecords(
      nodes.map(({ address }) => address),
      request,
    );
    await fill(client, request);
    let [quietFrom, frozenFrom, thawedFrom, end] = [0, 0, 0, 0];
    const recording = await record(client, request, async (clock) => {
      quietFrom = clock();
      await sleep(seconds * 1000);
      frozenFrom = clock();
      process.kill(frozenPid, "SIGSTOP");
      await sleep(seconds * 1000);
      process.kill(frozenPid, "SIGCONT");
      thawedFrom = clock();
      await sleep(seconds * 1000);
      end = clock();
    });
    await client.close();
    const quiet = recording.stretch(quietFrom, frozenFrom).latency;
    const stopped = recording.stretch(frozenFrom, thawedFrom);
    const { failed } = recording.stretch(quietFrom, end);
    const { p50Ms, p99Ms, p999Ms, maxMs } = stopped.latency;
    return [
      ms("one of three frozen: p99 before", quiet.p99Ms),
      ms("one of three frozen: p50", p50Ms),
      ms("one of three frozen: p99 above that before", p99Ms - quiet.p99Ms, hedgeMsMost),
      ms("one of three frozen: p99.9", p999Ms),
      ms("one of three frozen: slowest", maxMs),
      { ...fact("one of three frozen: failed", "requests", failed), goal: { most: 0 } },
    ];
  } finally {
    await stopAll(nodes.map(({ server }) => server));
  }
}

/** One of five nodes is killed. */
export async function killed(request: FaultRequest): Promise<Fact[]> {
  const { directory, seconds } = request;
  const nodes = await startNodes({ directory, nodes: 5, durability: "os" });
  try {
    const client = await connectRecords(
      nodes.map(({ address }) => address),
      request,
    );
    await fill(client, request);
    let [quietFrom, killedFrom, end] = [0, 0, 0];
    const recording = await record(client, request, async (clock) => {
      quietFrom = clock();
      await sleep(seconds * 1000);
      killedFrom = clock();
      await nodes[2]?.server.stop("SIGKILL");
      await sleep(seconds * 1000);
      end = clock();
    });
    await client.close();
    const quiet = recording.stretch(quietFrom, killedFrom).latency;
    const after = recording.stretch(killedFrom, end);
    const all = recording.stretch(quietFrom, end);
    const failed = (1e6 * all.failed) / all.requests;
    return [
      ms("one of five killed: p99.9 before", quiet.p999Ms),
      ms("one of five killed: p99", after.latency.p99Ms),
      ms("one of five killed: p99.9", after.latency.p999Ms, killedMsMost),
      ms("one of five killed: slowest", after.latency.maxMs),
      fact("one of five killed: requests", "", all.requests),
      {
        ...fact("one of five killed: failed in a million", "requests", failed),
        goal: { most: failedMost },
      },
    ];
  } finally {
    await stopAll(nodes.map(({ server }) => server));
  }
}

function fact(name: string, unit: string, value: number): Fact {
  return { engine: ours, name, unit, value };
}

function ms(name: string, value: number, most?: number): Fact {
  return { ...fact(name, "ms", value), ...(most === undefined ? {} : { goal: { most } }) };
}
