import { accept } from './accept.ts';
import { changes } from './changes.ts';
import { chats } from './chats.ts';
import { client } from './client.ts';
import { connect } from './connect.ts';
import { endToEnd } from './end-to-end.ts';
import { fanOutBig } from './fan-out-big.ts';
import { fanOutSmall } from './fan-out-small.ts';
import { groupSize } from './group-size.ts';
import type { BenchPath } from './harness/bench.ts';
import { history } from './history.ts';
import { idleGateway } from './idle-gateway.ts';
import { lists } from './lists.ts';
import { memory } from './memory.ts';
import { neighbours } from './neighbours.ts';
import { observed } from './observed.ts';
import { pipeline } from './pipeline.ts';
import { reactions } from './reactions.ts';
import { readByAll } from './read-by-all.ts';
import { reads } from './reads.ts';
import { scaling } from './scaling.ts';
import { sequencer } from './sequencer.ts';
import { store } from './store.ts';
import { typing } from './typing.ts';
import { upkeep } from './upkeep.ts';
import { upsert } from './upsert.ts';
import { webClient } from './web-client.ts';

/** In the order in which they run. */
export const paths: readonly BenchPath[] = [
  accept,
  store,
  fanOutBig,
  fanOutSmall,
  groupSize,
  sequencer,
  endToEnd,
  pipeline,
  observed,
  idleGateway,
  connect,
  memory,
  upkeep,
  neighbours,
  history,
  changes,
  reads,
  typing,
  readByAll,
  lists,
  reactions,
  upsert,
  chats,
  scaling,
  webClient,
  client,
];
