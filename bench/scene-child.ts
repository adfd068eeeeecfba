/** The process that plays one scene (or half of one) for one engine, and sends its facts. */
import { cold } from "./core/cold.ts";
import { loadHistograms } from "./latency.ts";
import { send, serve } from "./parent.ts";
import type { Fact, Scene, SceneRequest } from "./scene.ts";
import { growthLarge, growthSmall } from "./scenes/growth.ts";
import { loop } from "./scenes/loop.ts";
import { memory } from "./scenes/memory.ts";
import { paced } from "./scenes/paced.ts";
import { openClean, openKilled, replayLog, writeAll, writeLog } from "./scenes/recovery.ts";

const scenes: Readonly<Record<string, Scene>> = {
  ...{ growthSmall, growthLarge, loop, memory, paced, cold },
  ...{ writeLog, replayLog, writeAll, openClean, openKilled },
};
/** These leave a database as a crash leaves it. */
const killed = ["writeLog", "openClean"];

serve(async (request: SceneRequest) => {
  const scene = scenes[request.scene];
  if (scene === undefined) throw new Error(`there is no scene named ${request.scene}`);
  await loadHistograms();
  await send<readonly Fact[]>(await scene(request));
  if (killed.includes(request.scene)) process.kill(process.pid, "SIGKILL");
});
