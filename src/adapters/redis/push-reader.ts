/** What can arrive on a connection that subscribes (RESP3). */
export interface PushHandlers {
  message(channel: string, payload: string): void;
  /** One channel is subscribed, or given up. */
  acknowledged(): void;
  /** To any other command, in order. Of an answer that is no error nothing is kept. */
  answered(error: Error | undefined): void;
}

const lineFeed = 10;
const carriageReturn = 13;
const dollar = '$'.charCodeAt(0);
const greater = '>'.charCodeAt(0);
const colon = ':'.charCodeAt(0);
const percent = '%'.charCodeAt(0);
const minus = '-'.charCodeAt(0);

const messageWord = Buffer.from('message');
const subscribeWord = Buffer.from('subscribe');
const unsubscribeWord = Buffer.from('unsubscribe');

/** Redis cuts subscribers off that are 32 MB behind. */
const mostPushBytes = 32 * 1024 * 1024;
/** To a greeting, or a number. */
const mostAnswerBytes = 64 * 1024;
/** Lengths, numbers and errors. */
const mostLineBytes = 4_096;
/** Of what follows a length; more digits are no length. */
const mostDigits = 10;

/**
 * Takes what is read from the socket, in any pieces, and tells of each frame when it is whole. A storm of connects brings an
 * acknowledgement for each channel: they are passed over without making anything of them.
 * @returns what takes a piece; throws Error for what is not understood, and what a handler throws, and is of no use afterwards
 */
export function createPushReader(on: PushHandlers): (piece: Buffer) => void {
  /** The pieces of a frame of which the end is missing, and how many bytes of it there must be to look again. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  let neededBytes = 0;

  let bytes: Buffer = Buffer.alloc(0);
  let frameStart = 0;
  let cursor = 0;
  /** Where the last bulk string lies. */
  let from = 0;
  let to = 0;

  function isHalf(end: number): false {
    neededBytes = end - frameStart;
    const most = bytes[frameStart] === greater ? mostPushBytes : mostAnswerBytes;
    if (neededBytes > most) throw unexpected(`a frame of ${neededBytes} bytes`);
    return false;
  }

  /** From the cursor behind the line, whose text lies between `from` and `to`. */
  function readLine(): boolean {
    const end = bytes.indexOf(lineFeed, cursor);
    if ((end < 0 ? bytes.length : end) - cursor > mostLineBytes) throw unexpected('a line without an end');
    if (end < 0) return isHalf(bytes.length + 1);
    if (bytes[end - 1] !== carriageReturn) throw unexpected('a line feed alone');
    from = cursor;
    to = end - 1;
    cursor = end + 1;
    return true;
  }

  /** From the cursor, at the first digit, behind the line. @returns -1 when there is only half of it */
  function readLength(): number {
    let length = 0;
    let at = cursor;
    for (; ; at += 1) {
      const byte = bytes[at];
      if (byte === undefined) return isHalf(at + 1) || -1;
      if (byte === carriageReturn) break;
      if (byte < 48 || byte > 57 || at - cursor === mostDigits) throw unexpected('what is not a length');
      length = length * 10 + byte - 48;
    }
    if (at === cursor) throw unexpected('what is not a length');
    if (at + 1 === bytes.length) return isHalf(at + 2) || -1;
    if (bytes[at + 1] !== lineFeed) throw unexpected('a carriage return alone');
    cursor = at + 2;
    return length;
  }

  /** From the cursor, behind the type, behind the string. */
  function readBulk(): boolean {
    const length = readLength();
    if (length < 0) return false;
    from = cursor;
    to = from + length;
    cursor = to + 2;
    if (cursor > bytes.length) return isHalf(cursor);
    if (bytes[to] !== carriageReturn || bytes[to + 1] !== lineFeed)
      throw unexpected('a string without an end');
    return true;
  }

  function readType(type: number): boolean {
    if (cursor === bytes.length) return isHalf(cursor + 1);
    if (bytes[cursor] !== type) throw unexpected(`type ${bytes[cursor]} instead of ${type}`);
    cursor += 1;
    return true;
  }

  const readString = () => readType(dollar) && readBulk();

  function isWord(word: Buffer): boolean {
    if (to - from !== word.length) return false;
    for (let at = 0; at < word.length; at += 1) if (bytes[from + at] !== word[at]) return false;
    return true;
  }

  /** From the cursor, behind the type, behind the frame. */
  function readPush(): boolean {
    const parts = readLength();
    if (parts < 0) return false;
    if (parts !== 3) throw unexpected(`a push of ${parts} parts`);
    if (!readString()) return false;
    if (isWord(messageWord)) {
      if (!readString()) return false;
      const [channelFrom, channelTo] = [from, to];
      if (!readString()) return false;
      on.message(bytes.toString('utf8', channelFrom, channelTo), bytes.toString('utf8', from, to));
      return true;
    }
    if (!isWord(subscribeWord) && !isWord(unsubscribeWord)) throw unexpected('a push of another kind');
    if (!readString() || !readType(colon) || readLength() < 0) return false;
    on.acknowledged();
    return true;
  }

  /** A whole value of any other type, from its type on. */
  function readAnswer(): boolean {
    let error: Error | undefined;
    for (let left = 1; left > 0; left -= 1) {
      const type = bytes[cursor];
      if (type === undefined) return isHalf(cursor + 1);
      cursor += 1;
      switch (String.fromCharCode(type)) {
        case '-':
        case '+':
        case ':':
        case ',':
        case '#':
        case '_':
        case '(':
          if (!readLine()) return false;
          if (type === minus) error = new Error(`Redis: ${bytes.toString('utf8', from, to)}`);
          break;
        case '$':
        case '=':
          if (!readBulk()) return false;
          break;
        case '*':
        case '~':
        case '%': {
          const length = readLength();
          if (length < 0) return false;
          left += type === percent ? 2 * length : length;
          break;
        }
        default:
          throw unexpected(`type ${type}`);
      }
    }
    on.answered(error);
    return true;
  }

  function readFrame(): boolean {
    if (bytes[cursor] !== greater) return readAnswer();
    cursor += 1;
    return readPush();
  }

  return (piece) => {
    bytes = piece;
    if (heldBytes > 0) {
      held.push(piece);
      heldBytes += piece.length;
      // A long message in many pieces is put together once.
      if (heldBytes < neededBytes) return;
      bytes = Buffer.concat(held, heldBytes);
    }
    cursor = 0;
    do {
      frameStart = cursor;
    } while (cursor < bytes.length && readFrame());
    heldBytes = bytes.length - frameStart;
    held = heldBytes > 0 ? [bytes.subarray(frameStart)] : [];
  };
}

const unexpected = (what: string) => new Error(`Redis sent what a subscriber does not expect: ${what}`);
