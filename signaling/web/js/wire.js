// The socket: hello with a ticket, commands that are sent again under the same id until they are answered, events that
// are counted and acknowledged, and coming back after a loss. What the frames mean is none of its business.

import { Problem } from './api.js';

const SUBPROTOCOL = 'visavis.v1';
/** How long to wait before each try to come back, in milliseconds; the last one repeats. */
const DELAYS = [0, 300, 1200, 2700, 4800, 7000];
const STEADY = 5000; // a socket that held this long starts the delays anew
const WELCOME_WITHIN = 15_000;
const ANSWER_WITHIN = 10_000; // an older command without an answer means that the socket is dead and does not know it
const ACK_EVENTS = 5;
const ACK_WITHIN = 3000;
const TICK = 1000;
const SLEPT = 10_000; // a tick that is this late: the device was asleep, and the socket is worth nothing
const TRIES = 8; // of a command that is told to wait
/** Worthless in another session than the one they were made in. */
const OF_THE_MOMENT = new Set(['call.signal', 'call.quality', 'call.restart']);

/**
 * @typedef {{type: string, code?: string, detail?: string, retry_after?: number, [field: string]: any}} Frame
 * @typedef {{frame: Frame, sent: number, tries: number, resolve: (ok: Frame) => void, reject: (why: Error) => void}} Sent
 * @typedef {object} Listener
 * @property {(frame: Frame) => void} onEvent
 * @property {(welcome: Frame) => void} onWelcome
 * @property {() => void} onLost  No socket for now; it is coming back by itself.
 * @property {(why: string, detail: string) => void} onClosed  It does not come back.
 * @property {(problem: Problem) => void} onDelay  A command has to wait; it is sent again by itself.
 */

export class Wire {
  /** @param {import('./api.js').Api} api @param {Listener} listener @param {string} url */
  constructor(api, listener, url = location.origin.replace('http', 'ws') + '/v1/socket') {
    this.api = api;
    this.listener = listener;
    this.url = url;
    /** @type {WebSocket | null} */
    this.socket = null;
    this.open = false; // welcomed
    this.stopped = false;
    this.round = 0; // of connecting: what an older one still brings is dropped
    this.failures = 0;
    this.since = 0;
    /** @type {string | null} */
    this.session = null;
    this.seq = 0;
    this.unacked = 0;
    this.ackedAt = 0;
    /** @type {Map<string, Sent>} */
    this.outstanding = new Map();
    /** @type {Frame | null} */
    this.refusal = null;
    /** @type {Frame | null} */
    this.bye = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.ticked = Date.now();
    addEventListener('online', () => this.again());
    addEventListener('offline', () => this.drop());
    setInterval(() => this.tick(), TICK);
  }

  start() {
    void this.connect();
  }

  /** Send a command; its answer, however many sockets it takes. Rejects with Problem. @param {Frame} frame @returns {Promise<Frame>} */
  command(frame) {
    return new Promise((resolve, reject) => {
      const id = crypto.randomUUID();
      const sent = { frame: { ...frame, id }, sent: 0, tries: 0, resolve, reject };
      this.outstanding.set(id, sent);
      this.transmit(sent);
    });
  }

  /** @param {Sent} sent */
  transmit(sent) {
    if (!this.open || !this.socket) return;
    sent.sent = Date.now();
    this.socket.send(JSON.stringify(sent.frame));
  }

  // --- coming and going

  async connect() {
    const round = ++this.round;
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.timer = setTimeout(() => this.drop(), WELCOME_WITHIN);
    let ticket;
    try {
      ticket = await this.api.ticket();
    } catch (error) {
      if (round !== this.round) return;
      if (error instanceof Problem && [401, 403].includes(error.status)) {
        this.close(error.status === 401 ? 'signed_out' : 'banned', error.detail);
      } else {
        this.later(error instanceof Problem ? error.retryAfter : null);
      }
      return;
    }
    if (round !== this.round) return;
    const socket = new WebSocket(this.url, SUBPROTOCOL);
    this.socket = socket;
    this.refusal = this.bye = null;
    socket.onopen = () => {
      /** @type {Frame} */
      const hello = { type: 'hello', ticket, client: 'web', features: [] };
      if (this.session) hello.resume = { session: this.session, seq: this.seq };
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = (message) => this.heard(message.data);
    socket.onclose = (event) => this.gone(event.code);
  }

  /** Come back now rather than later: the network is there again, or is another one. */
  again() {
    if (this.stopped) return;
    this.failures = 0;
    this.forget();
    void this.connect();
  }

  /** This socket is dead; come back. */
  drop() {
    if (this.stopped) return;
    this.forget();
    this.later(null);
  }

  forget() {
    const socket = this.socket;
    this.round += 1;
    clearTimeout(this.timer);
    this.socket = null;
    if (this.open) this.lost();
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  lost() {
    this.open = false;
    if (Date.now() - this.since > STEADY) this.failures = 0;
    this.listener.onLost();
  }

  /** @param {number} code */
  gone(code) {
    this.socket = null;
    clearTimeout(this.timer);
    if (this.open) this.lost();
    if (this.bye?.action === 'stop') return this.close(this.bye.reason, '');
    if (code >= 4400 && code < 4500) {
      const why = { 4401: 'signed_out', 4403: 'banned', 4429: 'too_many' }[code] ?? 'outdated';
      return this.close(why, this.refusal?.detail ?? '');
    }
    // Another window goes on with this session; taking it back would begin a tug of war.
    if (code === 4009) this.session = null;
    this.later(this.bye ? this.bye.after : (this.refusal?.retry_after ?? null));
  }

  /** @param {number | null} seconds  What the server asks for; otherwise it is longer each time. */
  later(seconds) {
    const delay = DELAYS[Math.min(this.failures, DELAYS.length - 1)] ?? 0;
    this.failures += 1;
    clearTimeout(this.timer);
    const wait = seconds === null ? delay * (0.8 + 0.4 * Math.random()) : seconds * 1000;
    this.timer = setTimeout(() => void this.connect(), wait);
  }

  /** @param {string} why @param {string} detail */
  close(why, detail) {
    this.stopped = true;
    clearTimeout(this.timer);
    this.listener.onClosed(why, detail);
  }

  tick() {
    const now = Date.now();
    const slept = now - this.ticked > SLEPT;
    this.ticked = now;
    if (this.stopped) return;
    if (slept) return this.again();
    if (!this.open) return;
    if (this.unacked > 0 && now - this.ackedAt > ACK_WITHIN) this.ack();
    for (const { sent } of this.outstanding.values()) {
      if (sent > 0 && now - sent > ANSWER_WITHIN) return this.again();
    }
  }

  // --- frames

  /** @param {unknown} text */
  heard(text) {
    /** @type {Frame} */
    let frame;
    try {
      frame = JSON.parse(String(text));
    } catch {
      return; // not ours to understand
    }
    if (frame === null || typeof frame !== 'object') return;
    if (!this.open) {
      if (frame.type === 'welcome') this.welcomed(frame);
      else this.refusal = frame;
    } else if ('re' in frame) {
      this.answered(frame);
    } else if (typeof frame.seq === 'number') {
      if (frame.seq <= this.seq) return; // heard before
      this.seq = frame.seq;
      this.unacked += 1;
      if (this.unacked >= ACK_EVENTS) this.ack();
      if (frame.type === 'bye') this.bye = frame;
      else this.listener.onEvent(frame);
    }
  }

  /** @param {Frame} welcome */
  welcomed(welcome) {
    clearTimeout(this.timer);
    this.open = true;
    this.since = Date.now();
    this.session = welcome.session;
    this.seq = welcome.seq;
    this.unacked = 0;
    this.ackedAt = Date.now();
    for (const [id, sent] of [...this.outstanding]) {
      if (welcome.resumed || !OF_THE_MOMENT.has(sent.frame.type)) {
        this.transmit(sent);
      } else {
        this.outstanding.delete(id);
        sent.reject(new Problem(0, { code: 'session_lost' }));
      }
    }
    this.listener.onWelcome(welcome);
  }

  /** @param {Frame} frame */
  answered(frame) {
    const sent = this.outstanding.get(frame.re);
    if (!sent) return;
    if (frame.type === 'problem' && typeof frame.retry_after === 'number' && sent.tries < TRIES) {
      if (!OF_THE_MOMENT.has(sent.frame.type)) {
        sent.tries += 1;
        sent.sent = 0;
        this.listener.onDelay(new Problem(0, frame));
        setTimeout(() => this.outstanding.has(frame.re) && this.transmit(sent), frame.retry_after * 1000);
        return;
      }
    }
    this.outstanding.delete(frame.re);
    if (frame.type === 'ok') sent.resolve(frame);
    else sent.reject(new Problem(0, frame));
  }

  ack() {
    this.unacked = 0;
    this.ackedAt = Date.now();
    this.socket?.send(JSON.stringify({ type: 'ack', seq: this.seq }));
  }
}
