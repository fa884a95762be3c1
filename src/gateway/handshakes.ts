import { networkOf } from '../shared/client-address.ts';

/** How many connections may be there that have not joined `/chat`. */
export interface HandshakeLimits {
  /** Of all clients. */
  most: number;
  /** Of one network: a /48 of IPv6. */
  mostOfNetwork: number;
  /** Of one address. */
  mostOfAddress: number;
}

/** A connection that may not have joined `/chat` yet. */
interface Waiting {
  handshake: Handshake | undefined;
  close(): void;
}

/** What is known of a connection until it has joined `/chat`. */
export interface Handshake {
  readonly address: string;
  readonly beganAt: number;
  /** A WebSocket asks to take the place of its long polling: some clients say nothing before that. */
  upgrades: boolean;
  /** Its CONNECT is being looked at, which is not thrown away to make room. */
  busy: boolean;
  /** Where it is counted, from the whole to its address. */
  places: readonly [Place, Place, Place] | undefined;
}

export interface Handshakes {
  /**
   * Makes room for one more from this address, where there is none by closing one that waits for its client.
   * @returns false when there is no such: all of them are being let in
   */
  makeRoom(address: string): boolean;
  add(connection: Waiting): void;
  delete(connection: Waiting): void;
}

/** The handshakes of everybody, of a network, or of an address. */
class Place {
  count = 0;
  readonly within = new Map<string, Place>();
  /** Those of an address, the oldest first. */
  readonly connections = new Set<Waiting>();

  enter(key: string): Place {
    let place = this.within.get(key);
    if (!place) {
      place = new Place();
      this.within.set(key, place);
    }
    return place;
  }
}

/**
 * Who opens connections and says nothing closes its own: the one that is closed for a newcomer is the oldest of the address
 * that has the most, within the network that has the most. An honest one is here for a round trip, alone or nearly so at
 * its address, and is never the one.
 */
export function createHandshakes(limits: HandshakeLimits, onClosed: (address: string) => void): Handshakes {
  const everybody = new Place();

  function placesOf(address: string): [Place, Place, Place] {
    const network = everybody.enter(networkOf(address));
    return [everybody, network, network.enter(address)];
  }

  function forget(address: string, [, network]: readonly [Place, Place, Place]): void {
    network.within.delete(address);
    if (network.count === 0) everybody.within.delete(networkOf(address));
  }

  /** @param keys of the newcomer, from the place inwards */
  function victimIn(place: Place, keys: readonly string[]): Waiting | undefined {
    const [key, ...inner] = keys;
    if (key === undefined) {
      for (const connection of place.connections) if (!connection.handshake?.busy) return connection;
      return undefined;
    }
    // Who floods has more than its share, which saves looking for who has the most: some 10 µs for 2,000 places.
    const own = place.within.get(key);
    if (own && own.count >= place.count / place.within.size) {
      const victim = victimIn(own, inner);
      if (victim) return victim;
    }
    for (const other of [...place.within.values()].sort((a, b) => b.count - a.count)) {
      const victim = victimIn(other, inner);
      if (victim) return victim;
    }
    return undefined;
  }

  function closeOne(place: Place, keys: readonly string[]): boolean {
    const victim = victimIn(place, keys);
    if (!victim) return false;
    onClosed(victim.handshake?.address ?? 'unknown');
    victim.close();
    return true;
  }

  return {
    makeRoom(address) {
      const network = networkOf(address);
      const ofNetwork = everybody.within.get(network);
      const ofAddress = ofNetwork?.within.get(address);
      if (ofAddress && ofAddress.count >= limits.mostOfAddress && !closeOne(ofAddress, [])) return false;
      if (ofNetwork && ofNetwork.count >= limits.mostOfNetwork && !closeOne(ofNetwork, [address]))
        return false;
      return everybody.count < limits.most || closeOne(everybody, [network, address]);
    },

    add(connection) {
      const { handshake } = connection;
      if (!handshake) return;
      handshake.places = placesOf(handshake.address);
      for (const place of handshake.places) place.count += 1;
      handshake.places[2].connections.add(connection);
    },

    delete(connection) {
      const { handshake } = connection;
      connection.handshake = undefined;
      if (!handshake?.places) return;
      const { address, places } = handshake;
      places[2].connections.delete(connection);
      for (const place of places) place.count -= 1;
      if (places[2].count === 0) forget(address, places);
    },
  };
}
