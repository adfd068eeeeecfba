/** The stores that can be compared, in the order of the tables. */
import type { StoreInfo } from "../store.ts";
import { echoStores } from "./echo.ts";
import { etcdStore } from "./etcd.ts";
import { everwriteStores, pinnedStore } from "./everwrite.ts";
import { natsStore } from "./nats.ts";
import { redisStores } from "./redis.ts";

export const allStores: readonly StoreInfo[] = [
  ...everwriteStores,
  ...redisStores,
  natsStore,
  etcdStore,
  ...echoStores,
];

/** Also one that is in no table. */
export function storeNamed(name: string): StoreInfo {
  const found = [...allStores, pinnedStore].find((store) => store.name === name);
  if (found === undefined) throw new Error(`there is no store named ${name}`);
  return found;
}
