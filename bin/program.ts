/**
 * What kvctl does with its arguments: turns the table of commands into a commander program, runs
 * the one that was asked for, and says with which exit code to end (exit.ts). Data goes to stdout,
 * messages to stderr; an interrupt ends the process with 130.
 */
import { createRequire } from "node:module";
import type * as Commander from "commander";
import { commands } from "./commands.ts";
import { describeFailure, exits, usage } from "./exit.ts";
import { readText } from "./files.ts";
import type { Invocation, Run } from "./invocation.ts";
import { createOutput, type Output, type Streams } from "./output.ts";
import type { CommandSpec } from "./specs/spec.ts";

// Required, since Node searches all of an imported CommonJS file for what it exports: 6 ms.
const { Command, CommanderError, Option } = createRequire(import.meta.url)(
  "commander",
) as typeof Commander;

/** Resolves with the exit code. */
export async function runProgram(argv: readonly string[], streams: Streams): Promise<number> {
  // Before commander has looked at the options: it may have to print what is wrong with them.
  const output = createOutput({ json: argv.includes("--json"), streams });
  const end = { code: exits.ok as number };
  try {
    const [first] = argv;
    const reader = readerIn(argv);
    if (first === "--version" || first === "-V") await printVersion(output);
    else if (reader !== undefined) end.code = await finish(reader.spec, { ...reader, output });
    else await makeProgram(output, end).parseAsync(argv, { from: "user" });
    return end.code;
  } catch (error) {
    return await finishFailed(error, output);
  }
}

function makeProgram(output: Output, end: { code: number }): Commander.Command {
  const program = new Command("kvctl")
    .description("Everwrite on the command line: an embedded database, or a cluster")
    .usage("(--db DIR | -e HOST:PORT,…) <command> [arguments]")
    .addOption(new Option("--db <dir>", "the directory of a database").env("KVCTL_DB"))
    .addOption(new Option("-e, --endpoints <list>", "nodes of a cluster").env("KVCTL_ENDPOINTS"))
    .option("--token-file <file>", "-e: a file with the token that nodes want (KVCTL_TOKEN)")
    .option("--tls", "-e: speak TLS, and believe the authorities that the system knows")
    .option("--tls-ca <file>", "-e: speak TLS, and believe this authority (KVCTL_TLS_CA)")
    .option("--tls-cert <file>", "-e: a certificate to show to nodes (KVCTL_TLS_CERT)")
    .option("--tls-key <file>", "-e: its key (KVCTL_TLS_KEY)")
    .option("--dc <name>", "-e: ask nodes of this data centre while there are any (KVCTL_DC)")
    .option("--json", "print results, messages of failure included, as JSON")
    .option("-V, --version", "print the version")
    .helpOption("-h, --help", "explain a command, with examples")
    .addHelpText("after", exitCodesText)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void output.write(text),
      writeErr: (text) => output.note(text.trimEnd()),
      // With --json even a usage error is JSON, printed where all failures are.
      outputError: () => {},
    });
  for (const spec of commands) addCommand(program, spec, { output, end });
  return program;
}

function addCommand(
  program: Commander.Command,
  spec: CommandSpec,
  { output, end }: { readonly output: Output; readonly end: { code: number } },
): void {
  const command = program
    .command(spec.name)
    .description(spec.summary)
    .copyInheritedSettings(program);
  for (const [form, meaning] of spec.arguments ?? []) command.argument(form, meaning);
  for (const [flags, meaning] of spec.options ?? []) command.option(flags, meaning);
  command.addHelpText(
    "after",
    `\nExamples:\n${spec.examples.map((line) => `  ${line}\n`).join("")}`,
  );
  command.action(async () => {
    const { db: _, endpoints: __, ...options } = command.optsWithGlobals();
    const place = placeOf(program);
    end.code = await finish(spec, { ...place, options, args: command.args, output });
  });
}

/** What a flag names replaces what the environment names, also of the other kind. */
function placeOf(program: Commander.Command): Pick<Request, "db" | "endpoints"> {
  const { db, endpoints } = program.opts();
  const [ofDb, ofEndpoints] = ["db", "endpoints"].map((name) => program.getOptionValueSource(name));
  if (ofDb === "cli" && ofEndpoints === "env") return { db, endpoints: undefined };
  if (ofDb === "env" && ofEndpoints === "cli") return { db: undefined, endpoints };
  return { db, endpoints };
}

interface Request {
  readonly db: unknown;
  readonly endpoints: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly args: readonly string[];
  readonly output: Output;
}

/** A command that reads its own arguments is the first word, or comes right behind -e NODES. */
function readerIn(
  argv: readonly string[],
): ({ readonly spec: CommandSpec } & Omit<Request, "output">) | undefined {
  const at = argv[0] === "-e" || argv[0] === "--endpoints" ? 2 : 0;
  const spec = commands.find(({ name, readsArguments }) => readsArguments && name === argv[at]);
  if (spec === undefined) return undefined;
  const endpoints = at === 2 ? argv[1] : undefined;
  return { spec, db: undefined, endpoints, options: {}, args: argv.slice(at + 1) };
}

async function finish(spec: CommandSpec, request: Request): Promise<number> {
  return run(await spec.load(), request);
}

async function run(command: Run, request: Request): Promise<number> {
  const { db, endpoints, options, args, output } = request;
  let stop: (() => void) | undefined;
  const invocation: Invocation = {
    db: typeof db === "string" ? db : undefined,
    endpoints: typeof endpoints === "string" ? endpoints : undefined,
    args,
    options,
    output,
    onInterrupt: (listener) => {
      stop = listener;
    },
  };
  // The engine is made to be killed at any moment, so most commands need no farewell.
  const interrupt = (): void => {
    if (stop === undefined) process.exit(exits.interrupted);
    stop();
    stop = undefined;
  };
  process.on("SIGINT", interrupt);
  try {
    return await command(invocation);
  } finally {
    process.off("SIGINT", interrupt);
  }
}

async function finishFailed(error: unknown, output: Output): Promise<number> {
  // Help was asked for, and is printed by now.
  if (error instanceof CommanderError && error.exitCode === 0) return exits.ok;
  // No command: help was printed to stderr instead.
  if (error instanceof CommanderError && error.code === "commander.help") return exits.usage;
  const failure = describeFailure(fromCommander(error), await exitCodesOf(error));
  output.fail(failure);
  if (process.env["KVCTL_DEBUG"] && error instanceof Error) output.note(error.stack ?? "");
  return failure.exit;
}

/** The registry that knows the error's code; loaded only when something failed. */
async function exitCodesOf(error: unknown): Promise<Readonly<Record<string, { exit: number }>>> {
  const name = error instanceof Error ? error.name : "";
  if (name === "EngineError") return (await import("../native-free-engine/index.ts")).engineCodes;
  if (name === "ClusterError") return (await import("../src/errors.ts")).clusterCodes;
  return {};
}

/** "error: unknown option '--lmit'" and the like are mistakes in usage. */
function fromCommander(error: unknown): unknown {
  if (!(error instanceof CommanderError)) return error;
  const said = error.message.replace(/^error: /, "").replace(/\n\(Did (.*)\)$/s, "; did $1");
  return usage(said, "kvctl COMMAND --help shows examples");
}

async function printVersion(output: Output): Promise<void> {
  const path = new URL("../../package.json", import.meta.url);
  const { version } = JSON.parse(await readText(path)) as { version: string };
  await output.result({ version }, `${version}\n`);
}

const exitCodesText = `
Exit codes: 0 ok, 1 damage or failure, 2 usage, 3 not found, 4 conflict, 5 unreachable,
6 too few replicas or overload, 7 timeout, 8 not allowed, 9 degraded or done in part,
130 interrupted. kvctl explain CODE says more. Data goes to stdout, messages to stderr.

Examples:
  kvctl --db data put greeting hello
  kvctl --db data get greeting
  kvctl --db data import cities.ndjson
  kvctl serve --data n1
  kvctl -e localhost:7400 put greeting hello
`;
