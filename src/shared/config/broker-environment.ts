import * as v from 'valibot';
import { type TlsFiles, tlsProblems } from '../tls.ts';
import { type BrokerAddress, parseBrokerHosts, parseBrokerUri, usualPort } from './broker-address.ts';
import type { WayToServer } from './server-access.ts';
import { flag, parsedBy, pem, port, secretText } from './variable-kinds.ts';

/** The way to RabbitMQ. */
export const brokerVariables = v.object({
  RABBITMQ_URI: v.optional(parsedBy(parseBrokerUri)),
  RABBITMQ_HOST: v.optional(parsedBy(parseBrokerHosts), 'localhost'),
  RABBITMQ_PORT: v.optional(port),
  RABBITMQ_USERNAME: v.optional(secretText, 'guest'),
  RABBITMQ_PASSWORD: v.optional(secretText, 'guest'),
  RABBITMQ_VHOST: v.optional(
    v.pipe(
      secretText,
      v.check((value) => Buffer.byteLength(value) <= 255, 'may have 255 bytes at most'),
    ),
    '/',
  ),
  RABBITMQ_TLS: v.optional(flag),
  RABBITMQ_TLS_CA: v.optional(pem),
  RABBITMQ_TLS_CERT: v.optional(pem),
  RABBITMQ_TLS_KEY: v.optional(pem),
});
type BrokerVariables = v.InferOutput<typeof brokerVariables>;

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

export function wayToRabbitMq(env: BrokerVariables): WayToServer {
  const address = brokerAddressOf(env);
  const { hosts, username, password, mechanism, encrypted, tls } = address;
  const problems = tlsProblems(
    'RABBITMQ_TLS',
    address,
    env.RABBITMQ_URI && 'RABBITMQ_URI must begin with amqps://',
  );
  if (mechanism === 'EXTERNAL' && tls.cert === undefined) {
    problems.push(
      'RABBITMQ_URI asks for auth_mechanism=EXTERNAL: set RABBITMQ_TLS_CERT and RABBITMQ_TLS_KEY too',
    );
  }
  const access = {
    server: 'rabbitmq',
    label: 'RabbitMQ',
    hosts: hosts.map(({ host }) => host),
    user: username,
    // The certificate is the password.
    password: mechanism === 'EXTERNAL' ? undefined : password,
    openWithoutPassword: false,
    variable: env.RABBITMQ_URI ? 'RABBITMQ_URI' : 'RABBITMQ_PASSWORD',
    encrypted,
  } as const;
  return { problems, accesses: [access] };
}
