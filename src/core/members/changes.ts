/** Changes of the ring. To be completed: so far only admission, at once. */
import { failed } from "../failure.ts";
import type { Candidate, Failed } from "../message.ts";
import { plan } from "../ring/planner.ts";
import type { RingState } from "../ring/ring-state.ts";

export function admit(state: RingState, candidate: Candidate): RingState | Failed {
  if (state.members.some(({ address }) => address === candidate.address)) {
    return failed("NODE_ID_IN_USE", `${candidate.address} is a member already`);
  }
  const id = Math.max(...state.members.map((member) => member.id)) + 1;
  const members = [...state.members, { ...candidate, id, state: "member" as const }];
  const owners = plan(members, state.n, state.owners, state.moves);
  return { ...state, epoch: state.epoch + 1, members, owners };
}
