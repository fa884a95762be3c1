import type { BrokerNames } from '../../harness/servers.ts';
import { type BrokerConfig, parseConfig } from '../../src/shared/config.ts';

/** What the environment says of a broker, made of a URI and the names of one test. */
export const brokerConfig = (uri: string, names: Partial<BrokerNames> = {}): BrokerConfig =>
  parseConfig({ RABBITMQ_URI: uri, ...names }).broker;
