/** What is measured, by the name under which it is on `/metrics`. The names are OpenTelemetry's where it has one. */

export interface Declared {
  type: 'counter' | 'gauge' | 'histogram';
  help: string;
  /** The values of each label; `any` where there is no list of them. Never an id: each value is a series of its own. */
  labels?: Readonly<Record<string, readonly string[]>>;
  /** Upper bounds of a histogram's. */
  buckets?: readonly number[];
}

const any: readonly string[] = [];

/** Seconds: what somebody waits for. */
const waits = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5] as const;
/** Seconds: what may have stood in a queue as well. */
const lags = [...waits, 10, 30, 60, 300] as const;
const counts = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000] as const;

export const metricTable = {
  http_server_request_duration_seconds: {
    type: 'histogram',
    help: 'Requests, from the head to the answer; http_route is the pattern, error_type the code of a refusal.',
    labels: {
      http_request_method: any,
      http_route: any,
      http_response_status_code: any,
      error_type: any,
    },
    buckets: waits,
  },
  http_server_active_requests: { type: 'gauge', help: 'Requests that are being answered.' },

  confab_sends_total: {
    type: 'counter',
    help: 'Messages that clients asked to send, by what was answered: accepted, or the code of the refusal.',
    labels: { result: any },
  },
  messaging_client_operation_duration_seconds: {
    type: 'histogram',
    help: 'From publishing a message to its confirm by the broker.',
    labels: {
      messaging_system: ['rabbitmq'],
      messaging_operation_name: ['publish'],
      messaging_destination_name: any,
      error_type: any,
    },
    buckets: waits,
  },
  messaging_client_sent_messages_total: {
    type: 'counter',
    help: 'Messages published to the broker, confirmed or not.',
  },
  messaging_client_consumed_messages_total: {
    type: 'counter',
    help: 'Messages that the broker has delivered to this process.',
  },
  messaging_process_duration_seconds: {
    type: 'histogram',
    help: 'From taking a batch of a partition to its end, its retries included.',
    labels: { partition: any },
    buckets: lags,
  },
  confab_publish_in_flight: { type: 'gauge', help: 'Messages published and not confirmed yet.' },
  confab_broker_blocked: {
    type: 'gauge',
    help: 'Whether the broker takes no messages for want of memory or disk (1) or does (0).',
  },
  confab_broker_connected: {
    type: 'gauge',
    help: 'Whether the process is connected to the broker (1) or not (0), to publish and to consume.',
    labels: { role: ['publisher', 'consumer'] },
  },

  confab_queue_messages: {
    type: 'gauge',
    help: 'Messages that wait in the queue of a partition, told by one worker of all.',
    labels: { partition: any },
  },
  confab_dead_letters: { type: 'gauge', help: 'Dead letters, told by one worker of all.' },
  confab_oldest_message_age_seconds: {
    type: 'gauge',
    help: 'Age of the oldest message that this worker has in hand of a partition; 0 where it has none.',
    labels: { partition: any },
  },
  confab_message_lag_seconds: {
    type: 'histogram',
    help: 'Time since a message was accepted (sentAt), when it was committed, announced, and written to the sockets of a gateway.',
    labels: { stage: ['stored', 'announced', 'delivered'] },
    buckets: lags,
  },
  confab_batch_messages: { type: 'histogram', help: 'Messages of a batch.', buckets: counts },
  confab_batch_retries_total: {
    type: 'counter',
    help: 'Batches that were tried again, or went back into the queue for a newer worker.',
    labels: { reason: ['database_away', 'timeout', 'error', 'newer_payload'] },
  },
  confab_dead_lettered_total: {
    type: 'counter',
    help: 'Messages that became dead letters: without our signature, not as they should be, refused by the rules, or not to be stored.',
    labels: { reason: ['unsigned', 'invalid', 'chat_not_found', 'not_participant', 'not_allowed', 'failed'] },
  },
  confab_newer_payload_blocked: {
    type: 'gauge',
    help: 'Whether the partition waits for a newer worker, whose payloads this one cannot read (1).',
    labels: { partition: any },
  },
  confab_partitions_owned: { type: 'gauge', help: 'Partitions that this worker consumes.' },
  confab_workers_live: { type: 'gauge', help: 'Workers that live, as this one sees it.' },

  db_client_operation_duration_seconds: {
    type: 'histogram',
    help: 'Operations of a server of data, from the asking to the answer, the wait for a connection included.',
    labels: { db_system_name: ['postgresql', 'redis'], db_operation_name: any, error_type: any },
    buckets: [0.001, ...waits],
  },
  db_client_connections: {
    type: 'gauge',
    help: 'Connections to PostgreSQL.',
    labels: { state: ['used', 'idle'] },
  },
  db_client_connection_pending_requests: {
    type: 'gauge',
    help: 'Operations that wait for a connection to PostgreSQL.',
  },
  db_client_connection_max: { type: 'gauge', help: 'Connections to PostgreSQL that this process may open.' },
  confab_redis_breaker_open: {
    type: 'gauge',
    help: 'Whether the process goes on without Redis, which has failed (1), or asks it (0).',
  },
  confab_facts_total: {
    type: 'counter',
    help: 'Facts that Redis was asked for: known, not known, or not asked because Redis is away.',
    labels: { result: ['hit', 'miss', 'away'] },
  },

  confab_sockets: {
    type: 'gauge',
    help: 'Sockets that are connected.',
    labels: { transport: ['websocket', 'polling'] },
  },
  confab_sockets_connecting: { type: 'gauge', help: 'Sockets that are being let in.' },
  confab_local_chats: { type: 'gauge', help: 'Chats that have a socket at this gateway.' },
  confab_local_users: { type: 'gauge', help: 'Users who have a socket at this gateway.' },
  confab_connects_total: {
    type: 'counter',
    help: 'Connects, by what was answered: accepted, or the code of the refusal.',
    labels: { result: any },
  },
  confab_disconnects_total: {
    type: 'counter',
    help: 'Sockets that ended, by the reason.',
    labels: { reason: ['token_end', 'revoked', 'backlog', 'drain', 'packets', 'error', 'client'] },
  },
  confab_backlog_closes_total: {
    type: 'counter',
    help: 'Sockets that were closed because they did not read what they were sent.',
  },
  confab_socket_backlog_bytes: {
    type: 'gauge',
    help: 'What has been sent and not read yet, of the socket that has most of it.',
  },
  confab_gap_fills_total: {
    type: 'counter',
    help: 'Reads of changes that a gateway was not told in time: the one before did not come, the notification had no words to believe, or none came at all.',
    labels: { cause: ['lost_hint', 'unknown', 'comparison'] },
  },
  confab_gap_rows_total: { type: 'counter', help: 'Changes that these reads found.' },
  confab_resumes_total: {
    type: 'counter',
    help: 'Sockets that connected: told what they missed, told to read anew, or without cursors.',
    labels: { outcome: ['replayed', 'reset', 'none'] },
  },
  confab_resume_events: {
    type: 'histogram',
    help: 'Events that a socket which came back was told.',
    buckets: counts,
  },
  confab_resume_duration_seconds: {
    type: 'histogram',
    help: 'From letting a socket with cursors in to the last that it missed.',
    buckets: waits,
  },
  confab_notifications_total: {
    type: 'counter',
    help: 'Notifications that came: with the next change of a chat, with one that was told before, with one beyond a gap, or without a valid signature.',
    labels: { result: ['delivered', 'old', 'gap', 'unsigned'] },
  },
  confab_deliveries_total: {
    type: 'counter',
    help: 'Changes of chats written to sockets, one for each socket.',
  },

  confab_password_queue_length: { type: 'gauge', help: 'Passwords that wait to be hashed.' },
  confab_password_seconds: {
    type: 'histogram',
    help: 'Hashing a password, without the wait.',
    buckets: waits,
  },
  confab_password_refused_total: {
    type: 'counter',
    help: 'Passwords that were not hashed: too many waited, or they waited for too long.',
  },
  confab_logins_total: {
    type: 'counter',
    help: 'Log-ins, by what was answered: accepted, or the code of the refusal.',
    labels: { result: any },
  },
  confab_refresh_reuse_total: {
    type: 'counter',
    help: 'Refresh tokens that were used a second time, which ends their sessions.',
  },
  confab_rate_limited_total: {
    type: 'counter',
    help: 'Requests and connects that a rate limit refused.',
    labels: {
      limit: ['user', 'read', 'typing', 'address', 'login', 'guesses', 'lookup', 'invite', 'connect'],
    },
  },

  confab_heap_objects: {
    type: 'gauge',
    help: 'Objects on the JavaScript heap, counted once a minute, or more seldom where they are many.',
  },
  confab_build_info: {
    type: 'gauge',
    help: 'The program that runs; always 1.',
    labels: { version: any, commit: any },
  },
} as const satisfies Record<string, Declared>;
