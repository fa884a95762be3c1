import type { TlsFiles } from '../tls.ts';
import { type BrokerAddress, type GivenHost, usualPort } from './broker-address.ts';

/** What the environment says of the way to RabbitMQ, each variable by itself. */
export interface BrokerVariables {
  RABBITMQ_URI?: BrokerAddress | undefined;
  RABBITMQ_HOST: readonly GivenHost[];
  RABBITMQ_PORT?: number | undefined;
  RABBITMQ_USERNAME: string;
  RABBITMQ_PASSWORD: string;
  RABBITMQ_VHOST: string;
  RABBITMQ_TLS?: boolean | undefined;
  RABBITMQ_TLS_CA?: string | undefined;
  RABBITMQ_TLS_CERT?: string | undefined;
  RABBITMQ_TLS_KEY?: string | undefined;
}

export function brokerAddressOf(env: BrokerVariables): BrokerAddress {
  const given: TlsFiles = { ca: env.RABBITMQ_TLS_CA, cert: env.RABBITMQ_TLS_CERT, key: env.RABBITMQ_TLS_KEY };
  if (env.RABBITMQ_URI) return { ...env.RABBITMQ_URI, tls: { ...given, ...env.RABBITMQ_URI.tls } };
  const encrypted = env.RABBITMQ_TLS ?? Object.values(given).some((value) => value !== undefined);
  return {
    hosts: env.RABBITMQ_HOST.map(({ host, port: own }) => ({
      host,
      port: own ?? env.RABBITMQ_PORT ?? usualPort(encrypted),
    })),
    encrypted,
    username: env.RABBITMQ_USERNAME,
    password: env.RABBITMQ_PASSWORD,
    vhost: env.RABBITMQ_VHOST,
    mechanism: 'PLAIN',
    tls: given,
  };
}

/** What does not go together. */
export function brokerProblems(env: BrokerVariables): string[] {
  const { encrypted, mechanism, tls } = brokerAddressOf(env);
  const problems: string[] = [];
  if (!encrypted && (tls.ca ?? tls.cert ?? tls.key) !== undefined) {
    problems.push(
      env.RABBITMQ_URI
        ? 'RABBITMQ_URI must begin with amqps:// where certificates are given'
        : 'RABBITMQ_TLS is false, and certificates are given: set it to true, or unset them',
    );
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    problems.push('RABBITMQ_TLS_CERT and RABBITMQ_TLS_KEY belong together: set both');
  }
  if (mechanism === 'EXTERNAL' && tls.cert === undefined) {
    problems.push(
      'RABBITMQ_URI asks for auth_mechanism=EXTERNAL: set RABBITMQ_TLS_CERT and RABBITMQ_TLS_KEY too',
    );
  }
  return problems;
}
