import { describe } from 'bun:test';
import { startThreeProcesses } from '../support/deployment.ts';
import { testProcesses } from '../support/processes.ts';
import { realServers } from '../support/servers.ts';
import { examplesSuite } from './examples.ts';
import { pipelineSuite } from './pipeline.ts';

const servers = await realServers();
const processes = testProcesses();
const deployment = await startThreeProcesses({ processes, servers });

describe('the pipeline in three processes', () => pipelineSuite({ processes, deployment }));
describe('the examples in three processes', () => examplesSuite({ processes, deployment }));
