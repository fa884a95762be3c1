import { networkOf } from '../shared/client-address.ts';
import type { Connection } from './connections.ts';

/** How many connections may be there that have not joined `/chat`. */
export interface HandshakeLimits {
  /** Of all clients. */
  most: number;
  /** Of one network: a /48 of IPv6. */
  mostOfNetwork: number;
  /** Of one address. */
  mostOfAddress: number;
}

/** What is known of a connection until it has joined `/chat`. */
export interface Handshake {
  readonly address: string;
  readonly beganAt: number;
  /** A WebSocket asks to take the place of its long polling: some clients say nothing before that. */
  upgrades?: true;
  /** Where it is counted, from the whole to its address. */
  places?: readonly [Place, Place, Place];
}

export interface Handshakes {
  /**
   * Makes room for one more from this address, where there is none by closing one that waits for its client.
   * @returns false when there is no such: all of them are being let in
   */
  makeRoom(address: string): boolean;
  add(connection: Connection): void;
  /** Whether something is being done for it, which is not thrown away to make room. */
  setBusy(connection: Connection, busy: boolean): void;
  delete(connection: Connection): void;
}

/** The handshakes of everybody, of a network, or of an address. */
class Place {
  count = 0;
  /** Those that wait for their clients. */
  idle = 0;
  readonly within = new Map<string, Place>();
  /** Of an address, the oldest first. */
  readonly idlers = new Set<Connection>();

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
  function victimIn(place: Place, keys: readonly string[]): Connection | undefined {
    if (place.idle === 0) return undefined;
    const [key, ...inner] = keys;
    if (key === undefined) {
      const [oldest] = place.idlers;
      return oldest;
    }
    // Who floods has more than its share, which saves looking for who has the most: some 10 µs for 2,000 places.
    const own = place.within.get(key);
    const floods = own !== undefined && own.idle > 0 && own.idle >= place.idle / place.within.size;
    return victimIn(floods ? own : fullest(place), inner);
  }

  return {
    makeRoom(address) {
      const network = networkOf(address);
      const ofNetwork = everybody.within.get(network);
      const full: [Place | undefined, number, string[]][] = [
        [ofNetwork?.within.get(address), limits.mostOfAddress, []],
        [ofNetwork, limits.mostOfNetwork, [address]],
        [everybody, limits.most, [network, address]],
      ];
      for (const [place, most, keys] of full) {
        if (!place || place.count < most) continue;
        const victim = victimIn(place, keys);
        if (!victim) return false;
        onClosed(victim.handshake?.address ?? address);
        victim.close();
      }
      return true;
    },

    add(connection) {
      const { handshake } = connection;
      if (!handshake) return;
      handshake.places = placesOf(handshake.address);
      for (const place of handshake.places) {
        place.count += 1;
        place.idle += 1;
      }
      handshake.places[2].idlers.add(connection);
    },

    setBusy(connection, busy) {
      const places = connection.handshake?.places;
      if (!places) return;
      const { idlers } = places[2];
      if (idlers.has(connection) !== busy) return;
      for (const place of places) place.idle += busy ? -1 : 1;
      if (busy) idlers.delete(connection);
      else idlers.add(connection);
    },

    delete(connection) {
      const { handshake } = connection;
      connection.handshake = undefined;
      if (!handshake?.places) return;
      const { places } = handshake;
      const idle = places[2].idlers.delete(connection);
      for (const place of places) {
        place.count -= 1;
        if (idle) place.idle -= 1;
      }
      if (places[2].count === 0) forget(handshake.address, places);
    },
  };
}

/** The one that has the most who wait. */
function fullest({ within }: Place): Place {
  let most = new Place();
  for (const place of within.values()) if (place.idle > most.idle) most = place;
  return most;
}
