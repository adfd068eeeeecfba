/** The settings of a node: who wins, what is wrong, and that all of it is said at once. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkConfig, gatherConfig } from "../../src/runtime/config.ts";
import { prepareDirectory, readConfigFile, readSecretFile } from "../../src/runtime/files.ts";

const base = mkdtempSync(join(tmpdir(), "everwrite-config-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const problemsOf = async (given: unknown): Promise<string> => {
  const error = await checkConfig(given).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ name: "ClusterError", code: "CONFIG_INVALID", applied: "no" });
  return (error as Error).message;
};

test("a directory is enough: the rest has safe defaults", async () => {
  expect(await checkConfig({ data: "d" })).toEqual({
    data: "d",
    join: [],
    dc: "dc1",
    rack: "rack1",
    weight: 1,
    durability: "sync",
    insecure: false,
    joinMsMax: 60_000,
    logLevel: "silent",
    stage: false,
    tuning: {},
  });
});

test("flags win over the environment, and that over the file", async () => {
  const gathered = gatherConfig({
    file: { data: "file", rack: "file", dc: "file" },
    environment: {
      EVERWRITE_DATA: "env",
      EVERWRITE_RACK: "env",
      EVERWRITE_MEMTABLE_BYTES: "65536",
    },
    flags: { data: "flag", n: "5", join: "a:1, b:2", w: undefined },
  });
  expect(gathered).toEqual({
    data: "flag",
    rack: "env",
    dc: "file",
    memtableBytes: 65_536,
    n: 5,
    join: ["a:1", "b:2"],
  });
});

describe("each of these is refused with its name, its value and what is allowed", () => {
  test.each([
    [
      { listen: "127.0.0.1:70000" },
      'listen must be HOST:PORT with a port from 0 to 65535, got "127',
    ],
    [{ listen: "7400" }, 'listen must be HOST:PORT with a port from 0 to 65535, got "7400"'],
    [{ advertise: "h:0" }, "advertise must be HOST:PORT that others can dial"],
    [{ advertise: "0.0.0.0:1" }, "advertise must be HOST:PORT that others can dial"],
    [{ join: "h:1" }, "join must be a list of HOST:PORT"],
    [{ join: ["h"] }, 'join must be a list of HOST:PORT, got ["h"]'],
    [{ n: 0 }, "n must be a whole number from 1 to 7, got 0"],
    [{ n: 8 }, "n must be a whole number from 1 to 7, got 8"],
    [{ n: 2.5 }, "n must be a whole number from 1 to 7, got 2.5"],
    [{ n: "3" }, 'n must be a whole number from 1 to 7, got "3"'],
    [{ n: 3, r: 4 }, "r must be from 1 to n, got 4 with n 3"],
    [{ w: 4 }, "w must be from 1 to n, got 4 with n 3"],
    [{ partitions: 100 }, "partitions must be a power of two from 2 to 4096, got 100"],
    [{ partitions: 1 }, "partitions must be a power of two"],
    [{ weight: 0 }, "weight must be a number above 0, at most 100, got 0"],
    [{ weight: Number.NaN }, "weight must be a number above 0"],
    [{ rack: "" }, "rack must be a name of 1 to 64"],
    [{ dc: "a b" }, "dc must be a name of 1 to 64"],
    [{ durability: "none" }, 'durability must be sync, interval or os, got "none"'],
    [{ insecure: "yes" }, 'insecure must be true or false, got "yes"'],
    [{ data: undefined }, "data is missing: it must be the path of a directory"],
    [{ nodes: 3 }, "nodes is unknown; there are data, listen"],
    [JSON.parse('{"__proto__": 1}'), "__proto__ is unknown"],
    [{ listen: "0.0.0.0:7400", insecure: true }, "advertise is missing"],
  ])("%j", async (given, message) => {
    expect(await problemsOf(Object.assign(given, { data: "d", ...given }))).toContain(message);
  });

  test("something that is no object", async () => {
    expect(await problemsOf(null)).toContain("must be an object");
  });
});

test("all problems are listed at once", async () => {
  const message = await problemsOf({ n: 0, r: -1, colour: "red", listen: "x" });
  for (const name of ["data", "n ", "r ", "colour", "listen"]) expect(message).toContain(name);
  expect(message).toMatch(/^5 settings are wrong:\n/);
});

describe("an address that others reach", () => {
  const tls = { tlsCert: "c", tlsKey: "k" };
  const [tlsCa, peerSecretFile, tokenFile] = ["ca", "s", "t"];
  const flags = {
    tls: "--tls-cert and --tls-key",
    peers: "--peer-secret-file or --tls-ca",
    clients: "--token-file or --tls-ca",
  };
  const open = { data: "d", listen: "0.0.0.0:7400", advertise: "h:1" };

  test.each([
    [{}, [flags.tls, flags.peers, flags.clients]],
    [{ peerSecretFile, tokenFile }, [flags.tls]],
    [tls, [flags.peers, flags.clients]],
    [{ ...tls, peerSecretFile }, [flags.clients]],
    [{ ...tls, tokenFile }, [flags.peers]],
    [{ ...tls, peerSecretFile, tokenFile }, []],
    [{ ...tls, tlsCa }, []],
    [{ ...tls, tlsCa, peerSecretFile, tokenFile }, []],
  ])("with %j lacks %j", async (closed, missing) => {
    const checked = checkConfig({ ...open, ...closed });
    if (missing.length === 0) return void (await checked);
    const error = await checked.catch((thrown: unknown) => thrown as Error);
    expect(error).toMatchObject({ code: "INSECURE_BIND" });
    const { message } = error as Error;
    const named = Object.values(flags).filter((flag) => message.includes(flag));
    expect(named).toEqual(missing);
    expect(message).toContain("--insecure");
    await checkConfig({ ...open, ...closed, insecure: true });
  });

  test.each(["0.0.0.0:7400", "192.168.1.2:7400", "[::]:7400", "example.com:7400"])(
    "%s is one",
    async (listen) => {
      const checked = checkConfig({ ...open, listen });
      await expect(checked).rejects.toMatchObject({ code: "INSECURE_BIND" });
    },
  );

  test.each(["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"])(
    "%s is none",
    async (listen) => {
      expect(await checkConfig({ data: "d", listen })).toMatchObject({ listen });
    },
  );
});

describe("certificates belong together", () => {
  test.each([
    [{ tlsCert: "c" }, "tlsKey is missing"],
    [{ tlsKey: "k" }, "tlsCert is missing"],
    [{ tlsCa: "ca" }, "tlsCert and tlsKey are missing"],
    [{ tlsCert: "" }, "tlsCert must be the path of a certificate"],
  ])("%j", async (given, message) => {
    expect(await problemsOf({ data: "d", ...given })).toContain(message);
  });
});

describe("files", () => {
  test("a configuration that is no JSON object is named", () => {
    const path = join(base, "bad.json");
    for (const text of ["{", "[]", "3"]) {
      writeFileSync(path, text);
      expect(() => readConfigFile(path)).toThrow(
        expect.objectContaining({ code: "CONFIG_INVALID" }),
      );
    }
    expect(() => readConfigFile(join(base, "none.json"))).toThrow(/none\.json/);
    writeFileSync(path, '{"data": "d", "insecure": false, "data": "e"}');
    expect(() => readConfigFile(path)).toThrow(/"data" is there twice/);
    writeFileSync(path, '{"data": "d"}');
    expect(readConfigFile(path)).toEqual({ data: "d" });
    // Whoever may write it could point the node anywhere; to read it harms nobody.
    chmodSync(path, 0o644);
    expect(readConfigFile(path)).toEqual({ data: "d" });
    chmodSync(path, 0o666);
    expect(() => readConfigFile(path)).toThrow(
      expect.objectContaining({ code: "INSECURE_PERMISSIONS" }),
    );
  });

  test("a node's directory is made for itself alone", () => {
    const path = join(base, "deep", "node");
    prepareDirectory(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    const open = join(base, "open");
    mkdirSync(open, { mode: 0o755 });
    prepareDirectory(open);
    expect(statSync(open).mode & 0o777).toBe(0o700);
  });

  test("a directory with data that everybody may read is refused", () => {
    const path = join(base, "shared");
    mkdirSync(path);
    writeFileSync(join(path, "CURRENT"), "");
    chmodSync(path, 0o755);
    expect(() => prepareDirectory(path)).toThrow(/mode 0755.*chmod 700/);
  });

  test.each([0o640, 0o604, 0o620, 0o602, 0o777])("a secret of mode %o is refused", (mode) => {
    const path = join(base, "secret");
    writeFileSync(path, "text");
    chmodSync(path, mode);
    expect(() => readSecretFile(path)).toThrow(
      expect.objectContaining({
        code: "INSECURE_PERMISSIONS",
        message: expect.stringContaining(`chmod 600 ${path}`),
      }),
    );
    chmodSync(path, 0o600);
    expect(readSecretFile(path)).toBe("text");
  });

  test("a path that is a file cannot hold a node's data", () => {
    const path = join(base, "file");
    writeFileSync(path, "");
    expect(() => prepareDirectory(path)).toThrow(
      expect.objectContaining({ code: "DATA_DIR_INVALID" }),
    );
  });
});
