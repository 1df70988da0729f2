// Watches what really flows (W3C webrtc-stats): that media has begun, how good it is, and what that is in one word.

const SOON = 250; // until media flows, milliseconds
const EVERY = 2000;
const REPORT_EVERY = 3; // looks
const HEARD_LOOKS = 16; // sound without a picture is a call as well
const POOR_LOOKS = 2; // in a row before a word is said, either way
const LATE = 0.8; // seconds there and back
const LOST = 0.08; // share of packets

/**
 * @typedef {{type: string, [field: string]: any}} Frame
 * @typedef {{call: string, on: (event: Frame) => void, send: (frame: Frame) => void}} Owner
 * @typedef {Record<string, any>} Stat
 */

export class Flow {
  /** @param {RTCPeerConnection} connection @param {'caller' | 'volunteer'} role @param {Owner} owner */
  constructor(connection, role, owner) {
    this.connection = connection;
    this.role = role;
    this.owner = owner;
    this.flowing = false;
    this.looks = 0;
    this.heard = 0;
    this.bad = 0;
    this.poor = false;
    this.received = 0;
    this.missing = 0;
    this.stopped = false;
    this.next(SOON);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** @param {number} wait */
  next(wait) {
    if (!this.stopped) this.timer = setTimeout(() => void this.look(), wait);
  }

  async look() {
    if (this.connection.connectionState === 'connected') {
      const stats = await this.connection.getStats().catch(() => null);
      if (stats && !this.stopped) this.judge([...stats.values()]);
    }
    this.next(this.flowing ? EVERY : SOON);
  }

  /** @param {Stat[]} stats */
  judge(stats) {
    if (!this.flowing) {
      if (!this.flows(stats)) return;
      this.flowing = true;
      this.owner.on({ type: 'media.flowing' });
      return;
    }
    const quality = this.measure(stats);
    this.looks += 1;
    if (this.looks % REPORT_EVERY === 0) {
      this.owner.send({ type: 'call.quality', call_id: this.owner.call, ...quality });
    }
    const bad = (quality.round_trip ?? 0) > LATE || (quality.lost ?? 0) > LOST;
    this.bad = bad === this.poor ? 0 : this.bad + 1;
    if (this.bad < POOR_LOOKS) return;
    this.bad = 0;
    this.poor = bad;
    this.owner.on({ type: bad ? 'media.poor' : 'media.good' });
  }

  /**
   * Whether media has begun: the volunteer sees something, or hears something while no picture comes; the caller hears
   * something, and sends.
   * @param {Stat[]} stats
   */
  flows(stats) {
    const heard = stats.some((one) => one.type === 'inbound-rtp' && one.kind === 'audio' && one.bytesReceived > 0);
    if (this.role === 'caller') return heard && stats.some((one) => one.type === 'outbound-rtp' && one.bytesSent > 0);
    this.heard += Number(heard);
    const seen = stats.some((one) => one.type === 'inbound-rtp' && one.kind === 'video' && one.framesDecoded > 0);
    return seen || this.heard > HEARD_LOOKS;
  }

  /** @param {Stat[]} stats */
  measure(stats) {
    const pair = stats.find((one) => one.type === 'candidate-pair' && one.nominated && one.state === 'succeeded');
    const local = pair && stats.find((one) => one.id === pair.localCandidateId);
    const inbound = stats.filter((one) => one.type === 'inbound-rtp');
    const picture = stats.find(
      (one) => one.kind === 'video' && one.type === (this.role === 'caller' ? 'outbound-rtp' : 'inbound-rtp'),
    );
    const received = sum(inbound, 'packetsReceived');
    const missing = sum(inbound, 'packetsLost');
    const [came, lost] = [received - this.received, Math.max(0, missing - this.missing)];
    [this.received, this.missing] = [received, missing];
    return given({
      round_trip: pair?.currentRoundTripTime,
      lost: came + lost > 0 ? lost / (came + lost) : undefined,
      width: picture?.frameWidth,
      height: picture?.frameHeight,
      frames_per_second: picture?.framesPerSecond,
      relayed: local && local.candidateType === 'relay',
    });
  }
}

/** @param {Stat[]} stats @param {string} field */
const sum = (stats, field) => stats.reduce((total, one) => total + (one[field] ?? 0), 0);

/** @template {Record<string, any>} T @param {T} fields @returns {Partial<T>} */
const given = (fields) =>
  /** @type {Partial<T>} */ (Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)));
