import { isIP, type Socket } from 'node:net';
import amqplib, { type ChannelModel } from 'amqplib';
import { addressText, type BrokerAddress, type BrokerNode } from '../../shared/config/broker-address.ts';
import { withDeadline } from '../../shared/deadline.ts';
import { StartError } from '../../shared/start-error.ts';
import { isTlsRefusal, readTls, speaksTls } from '../../shared/tls.ts';

/** A dead peer is noticed after two silent intervals, which amqplib looks at once each: 6 to 9 s. */
export const defaultHeartbeatSeconds = 3;
const connectDeadlineMs = 4_000;

/**
 * One connection to one node. Credentials go as an object: in a URL amqplib takes each of their bytes for a character.
 * @param name shown by the broker in its list of connections
 * @throws StartError where no waiting helps, with the other side's reason; else an Error
 */
export async function connectTo(
  node: BrokerNode,
  broker: BrokerAddress,
  name: string,
): Promise<ChannelModel> {
  const { host, port } = node;
  const { encrypted, vhost, serverName, channelMax, frameMax, maxFrameSize, locale } = broker;
  const options = {
    protocol: encrypted ? 'amqps' : 'amqp',
    hostname: host,
    port,
    // amqplib takes it for a piece of a URL.
    vhost: encodeURIComponent(vhost),
    heartbeat: broker.heartbeatSeconds ?? defaultHeartbeatSeconds,
    ...(channelMax === undefined ? {} : { channelMax }),
    ...(frameMax === undefined ? {} : { frameMax }),
    ...(maxFrameSize === undefined ? {} : { maxFrameSize }),
    ...(locale === undefined ? {} : { locale }),
  };
  const servername = serverName ?? (isIP(host) ? undefined : host.replace(/\.$/, ''));
  const connecting = amqplib.connect(options, {
    ...(encrypted ? await readTls('RABBITMQ_TLS', broker.tls) : {}),
    ...(encrypted && servername !== undefined ? { servername } : {}),
    credentials: credentialsOf(broker),
    timeout: connectDeadlineMs,
    noDelay: true,
    clientProperties: { connection_name: name },
  });
  const late = () => new Error(`no answer within ${connectDeadlineMs} ms`);
  try {
    return await withDeadline(connecting, connectDeadlineMs, late);
  } catch (error) {
    connecting.then(discard, () => {});
    const refusal = await refusalOf(error, node, broker);
    if (refusal === undefined) throw error;
    throw new StartError(`RabbitMQ at ${addressText(node)} refuses: ${refusal}`, { cause: error });
  }
}

function credentialsOf({ mechanism, username, password }: BrokerAddress) {
  switch (mechanism) {
    case 'PLAIN':
      return amqplib.credentials.plain(username, password);
    case 'AMQPLAIN':
      return amqplib.credentials.amqplain(username, password);
    case 'EXTERNAL':
      return amqplib.credentials.external();
  }
}

/** ACCESS_REFUSED and NOT_ALLOWED; what a limit or a virtual host that is starting refuses, it may take later. */
const lastingRefusals = /^Handshake terminated by server: (?:403|530) .*with message "(.*)"$/s;
const passingRefusals = /limit|is down/;

/** The other side's own words, with what we know of them; undefined for what another try may mend. */
async function refusalOf(
  error: unknown,
  node: BrokerNode,
  { encrypted, username, vhost }: BrokerAddress,
): Promise<string | undefined> {
  const message = error instanceof Error ? error.message : String(error);
  const words = lastingRefusals.exec(message)?.[1];
  if (words !== undefined) {
    return passingRefusals.test(words) ? undefined : `${words} (user ${username}, virtual host ${vhost})`;
  }
  if (/^SASL mechanism/.test(message)) return message;
  if (/WRONG_VERSION_NUMBER/.test(message)) return 'what answers there does not speak TLS';
  if (isTlsRefusal(error)) return `${message} (RABBITMQ_TLS_CA takes a CA of your own)`;
  // Of a text the four bytes of a frame's length are half a gigabyte and more.
  if (/exceeds maxFrameSize/.test(message)) return 'what answers there does not speak AMQP 0-9-1';
  if (/closed abruptly/.test(message) && !encrypted && (await speaksTls(node.host, node.port))) {
    return 'it speaks TLS there: amqps:// in RABBITMQ_URI, or RABBITMQ_TLS=true';
  }
  return undefined;
}

/** In good order where the broker answers, else by force. */
export async function discard(connection: ChannelModel, deadlineMs = 1_000): Promise<void> {
  connection.on('error', () => {});
  try {
    await withDeadline(connection.close(), deadlineMs, () => new Error('no goodbye'));
  } catch {
    // It was gone already, or it is now.
  }
  // amqplib only half-closes: to a peer that is silent the socket would stay open.
  socketOf(connection).destroy();
}

/** Private to amqplib, which offers no way to its socket. */
export const socketOf = (connection: ChannelModel): Socket =>
  (connection.connection as unknown as { stream: Socket }).stream;
