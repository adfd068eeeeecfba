/**
 * One attack on a node, as long as this process lives. What the node ends is begun again, a little
 * later, as any attacker would.
 */
import { randomBytes } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { setPriority } from "node:os";
import { connect as connectTls, createSecureContext } from "node:tls";

const socketsMax = 1000;
/** One for all, and nobody is believed or not: else the attacker would be busier than the node. */
const secureContext = createSecureContext();
/** What was thrown out is begun again so soon: those that hold connections need not hurry. */
const againMs = { holding: 1000, flooding: 100 };

process.once("message", async ({ attack, address, token, isElsewhere }) => {
  // Attackers bring machines of their own: they should not take this one's time from the others.
  if (isElsewhere) setPriority(19);
  const [host, port] = address.split(":");
  const target = { host, port: Number(port), token, address, secureContext };
  const begin = attacks[attack];
  let opened = 0;
  const keepOn = async (i) => {
    for (;;) {
      await begin(target, i, () => {
        opened += 1;
      }).catch(() => undefined);
      await pause(floods.has(attack) ? againMs.flooding : againMs.holding);
    }
  };
  const count = floods.has(attack) ? 16 : socketsMax;
  for (let i = 0; i < count; i++) void keepOn(i);
  // From one address the node throws out the oldest, most of them before they are through.
  const waitMsMax = attack === "slow-loris" ? 1_000 : 15_000;
  const since = performance.now();
  while (opened < 0.9 * count && performance.now() - since < waitMsMax) await pause(20);
  process.send("in full swing");
});
process.once("disconnect", () => process.exit());

/** They do not hold connections, but make new ones as fast as they can. */
const floods = new Set(["guesses", "oversized", "compressed", "fragments"]);

const attacks = {
  /** Headers, a byte at a time, from one address. */
  "slow-loris": (target, _i, opened) => dribble(openTls(target), opened),
  /** The same from a hundred addresses. */
  "slow-loris-spread": (target, i, opened) => dribble(openTls(target, addressOf(i)), opened),
  /** Connections that say nothing at all. */
  "half-open": (target, i, opened) => stay(openTcp(target, addressOf(i)), opened),
  /** A handshake of TLS that is never finished. */
  "tls-dribble": async (target, i, opened) => {
    const socket = openTcp(target, addressOf(i));
    socket.once("connect", () => socket.write(Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01)));
    await stay(socket, opened);
  },
  /** One wrong token after the other. */
  guesses: async (target, i, opened) => {
    const socket = openTls(target, addressOf(i));
    socket.write(upgrade(target.address, randomBytes(32).toString("base64url")));
    await stay(socket, opened);
  },
  oversized: (target, i, opened) => break_(target, i, opened, header(0x82, 2n ** 40n)),
  compressed: (target, i, opened) => break_(target, i, opened, header(0xc2, 1n << 20n)),
  fragments: (target, i, opened) => {
    const pieces = [header(0x02, 0n), ...Array.from({ length: 2000 }, () => header(0x00, 0n))];
    return break_(target, i, opened, Buffer.concat(pieces));
  },
};

async function dribble(socket, opened) {
  const bytes = upgrade("node", "x".repeat(4000));
  let at = 0;
  const timer = setInterval(() => socket.write(bytes.subarray(at, ++at)), 500);
  try {
    await stay(socket, opened);
  } finally {
    clearInterval(timer);
  }
}

/** Let in by a token that holds, and then against the rules. */
async function break_(target, i, opened, bytes) {
  const socket = openTls(target, addressOf(i));
  socket.write(upgrade(target.address, target.token));
  socket.once("data", () => socket.write(bytes, () => socket.end()));
  await stay(socket, opened);
}

function stay(socket, opened) {
  return new Promise((resolve) => {
    socket.once(socket.encrypted ? "secureConnect" : "connect", opened);
    socket.on("data", () => {});
    socket.on("error", () => {});
    socket.once("close", resolve);
  });
}

function openTcp({ host, port }, localAddress) {
  return connectTcp({ host, port, localAddress });
}

function openTls(target, localAddress) {
  const { host, secureContext } = target;
  const socket = openTcp(target, localAddress);
  socket.on("error", () => {});
  return connectTls({ socket, host, secureContext, servername: "", rejectUnauthorized: false });
}

/** Where the system lets a process choose one, ten connections share an address. */
function addressOf(i) {
  return process.platform === "linux" ? `127.2.0.${1 + (i % 100)}` : undefined;
}

function upgrade(host, token) {
  const lines = [
    ...["GET / HTTP/1.1", `Host: ${host}`, "Upgrade: websocket", "Connection: Upgrade"],
    ...["Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: everwrite.client.1"],
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    `Authorization: Bearer ${token}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

/** Of a masked frame whose mask is zero. */
function header(first, length) {
  const bytes = Buffer.alloc(14);
  bytes[0] = first;
  bytes[1] = 0x80 | 127;
  bytes.writeBigUInt64BE(length, 2);
  return bytes;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
