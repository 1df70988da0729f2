// The connection between the two browsers (RFC 8829). The caller makes every offer, numbered by a rising generation;
// the volunteer answers; so there is no glare to resolve. Whatever belongs to an older generation is dropped.
//
// Who the other side is, is its DTLS fingerprint: a page that was loaded anew has another one, and then a new
// connection is made instead of mending the old one.

import { Flow } from './flow.js';
import { fingerprint, withFec } from './sdp.js';

const FIRST_BATCH = 50;
const BATCH = 200;
/** How long ICE may be disconnected before it is restarted. The volunteer waits longer: the caller has to offer. */
const PATIENCE = { caller: 3000, volunteer: 5000 };
/** How long the very first connection may take. Most take less than a second; a lost signal would take for ever. */
const FIRST_PATIENCE = { caller: 5000, volunteer: 6500 };
const RESTART_EVERY = 4000;
const RESTARTS = 2; // without success; then the whole connection is made anew

/**
 * @typedef {{type: string, [field: string]: any}} Frame
 * @typedef {object} Options
 * @property {Frame} begin  The call.begin.
 * @property {Promise<import('./camera.js').Tracks>} tracks
 * @property {(frame: Frame) => void} send
 * @property {(event: Frame) => void} on  media.flowing, media.lost, media.back, media.poor, media.good, peer.taken
 * @property {(stream: MediaStream) => void} onStream  What the other side sends.
 */

export class Peer {
  /** @param {Options} options */
  constructor({ begin, tracks, send, on, onStream }) {
    this.call = begin.call_id;
    /** @type {'caller' | 'volunteer'} */
    this.role = begin.role;
    this.config = configOf(begin);
    this.tracks = tracks;
    this.send = send;
    this.on = on;
    this.onStream = onStream;
    // Above whatever a page of the same person offered before, which this one cannot know: seconds only rise.
    this.generation = this.role === 'caller' ? Math.floor(Date.now() / 1000) % 900_000 : 0;
    this.theirs = ''; // fingerprint
    /** @type {{frame: Frame}[]} */
    this.early = [];
    this.met = false; // ICE was connected at least once
    this.lost = false;
    this.restarts = 0;
    this.restartedAt = 0;
    this.closed = false;
    this.work = Promise.resolve();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.patience = undefined;
    this.connection = new RTCPeerConnection(this.config);
    this.stream = new MediaStream();
    this.ready = false; // tracks are attached
    /** @type {RTCIceCandidateInit[]} */
    this.batch = [];
    this.batched = false;
    this.tend();
  }

  /** One after the other: descriptions must not overtake each other. @param {() => Promise<void>} job */
  then(job) {
    this.work = this.work
      .then(async () => {
        if (!this.closed) await job();
      })
      .catch((error) => {
        if (!this.closed) console.warn('visavis: peer', error);
      });
    return this.work;
  }

  /** A wholly new connection in the place of this one. */
  build() {
    this.connection.close();
    this.connection = new RTCPeerConnection(this.config);
    this.stream = new MediaStream();
    this.ready = this.batched = false;
    this.theirs = '';
    this.batch = [];
    this.tend();
  }

  tend() {
    const { connection, stream } = this;
    connection.onicecandidate = ({ candidate }) => this.found(connection, candidate);
    connection.oniceconnectionstatechange = () => this.changed(connection);
    connection.ontrack = ({ track }) => {
      stream.addTrack(track);
      this.onStream(stream);
    };
    this.flow?.stop();
    this.flow = new Flow(connection, this.role, this);
  }

  /** The caller's first offer, or the volunteer's request for one where the caller's may be lost. @param {boolean} joining */
  start(joining) {
    if (this.role === 'caller') this.then(() => this.offer(false));
    else if (joining) this.restart();
    this.patience = setTimeout(() => this.mend(), FIRST_PATIENCE[this.role]);
  }

  // --- offers and answers

  /** @param {boolean} iceRestart */
  async offer(iceRestart) {
    const connection = this.connection;
    await this.attach();
    const offer = await connection.createOffer({ iceRestart });
    if (connection !== this.connection || this.closed) return;
    this.generation += 1;
    this.batch = [];
    const description = { type: offer.type, sdp: withFec(offer.sdp ?? '') };
    await connection.setLocalDescription(description);
    this.signal({ description });
  }

  /** Our tracks into the connection: picture from the caller only. */
  async attach() {
    if (this.ready) return;
    const { audio, video } = await this.tracks;
    if (this.role === 'caller') {
      this.connection.addTransceiver(audio, { direction: 'sendrecv', sendEncodings: [{ priority: 'high' }] });
      if (video) this.connection.addTransceiver(video, { direction: 'sendonly' });
    } else {
      for (const transceiver of this.connection.getTransceivers()) {
        if (transceiver.receiver.track.kind === 'audio') {
          transceiver.direction = 'sendrecv';
          await transceiver.sender.replaceTrack(audio);
        } else {
          transceiver.direction = 'recvonly';
        }
      }
    }
    this.ready = true;
  }

  /** A call.signal of the other side. @param {Frame} frame */
  signalled(frame) {
    this.then(() => this.take(frame));
  }

  /** @param {Frame} frame */
  async take(frame) {
    const { generation, description, candidates } = frame;
    if (generation < this.generation) return;
    if (description?.type === 'answer') {
      // An answer to an offer that is not ours: another window of this person goes on with the call.
      if (generation > this.generation) return this.on({ type: 'peer.taken' });
      await this.takeAnswer(description);
    } else if (description?.type === 'offer' && this.role === 'volunteer') {
      this.generation = generation;
      await this.takeOffer(description);
    } else if (candidates) {
      this.early.push({ frame });
    }
    await this.takeCandidates();
  }

  /** @param {RTCSessionDescriptionInit} description */
  async takeAnswer(description) {
    if (this.connection.signalingState !== 'have-local-offer') return; // answered before
    const theirs = fingerprint(description.sdp ?? '');
    if (this.theirs && theirs !== this.theirs) {
      this.build();
      return this.offer(false);
    }
    await this.connection.setRemoteDescription(description);
    this.theirs = theirs;
  }

  /** @param {RTCSessionDescriptionInit} description */
  async takeOffer(description) {
    const theirs = fingerprint(description.sdp ?? '');
    if (this.theirs && theirs !== this.theirs) this.build();
    await this.connection.setRemoteDescription(description);
    this.theirs = theirs;
    await this.attach();
    const answer = await this.connection.createAnswer();
    const ours = { type: answer.type, sdp: withFec(answer.sdp ?? '') };
    this.batch = [];
    await this.connection.setLocalDescription(ours);
    this.signal({ description: ours });
  }

  /** Candidates whose description is there; those of a later one wait for it. */
  async takeCandidates() {
    const waiting = this.early;
    this.early = [];
    for (const { frame } of waiting) {
      if (frame.generation < this.generation) continue;
      if (frame.generation > this.generation || !this.connection.remoteDescription) {
        this.early.push({ frame });
        continue;
      }
      for (const candidate of frame.candidates) {
        // A candidate of a connection that is gone, or of a kind this browser does not know, is no loss.
        await this.connection.addIceCandidate(candidate ?? undefined).catch(() => {});
      }
    }
  }

  /** @param {Record<string, unknown>} payload */
  signal(payload) {
    this.send({ type: 'call.signal', call_id: this.call, generation: this.generation, ...payload });
  }

  // --- our candidates, in batches: the first one soon, for it may be enough

  /** @param {RTCPeerConnection} connection @param {RTCIceCandidate | null} candidate */
  found(connection, candidate) {
    if (connection !== this.connection || this.closed) return;
    this.batch.push(candidate ? candidate.toJSON() : { candidate: '' });
    if (this.batch.length > 1) return;
    setTimeout(() => this.flush(connection), this.batched ? BATCH : FIRST_BATCH);
    this.batched = true;
  }

  /** @param {RTCPeerConnection} connection */
  flush(connection) {
    if (connection !== this.connection || this.closed || this.batch.length === 0) return;
    const candidates = this.batch;
    this.batch = [];
    this.signal({ candidates });
  }

  // --- trouble

  /** @param {RTCPeerConnection} connection */
  changed(connection) {
    if (connection !== this.connection || this.closed) return;
    const state = connection.iceConnectionState;
    clearTimeout(this.patience);
    if (state === 'connected' || state === 'completed') {
      this.met = true;
      this.restarts = 0;
      if (this.lost) {
        this.lost = false;
        this.on({ type: 'media.back' });
      }
    } else if (state === 'disconnected') {
      this.patience = setTimeout(() => this.mend(), PATIENCE[this.role]);
    } else if (state === 'failed') {
      this.patience = setTimeout(() => this.mend(), this.role === 'caller' ? 0 : 2000);
    }
  }

  /** Media is lost: say so, and connect anew until it is back. */
  mend() {
    if (this.closed || connected(this.connection)) return;
    if (this.met && !this.lost) {
      this.lost = true;
      this.on({ type: 'media.lost' });
    }
    this.restart();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => this.mend(), RESTART_EVERY * 2);
  }

  /** Ask for fresh servers and a new offer; both sides hear of it as call.restart. */
  restart() {
    if (this.closed || Date.now() - this.restartedAt < RESTART_EVERY) return;
    this.restartedAt = Date.now();
    this.send({ type: 'call.restart', call_id: this.call });
  }

  /** After a socket came back or the network changed: is media still there? @param {boolean} moved */
  check(moved) {
    if (moved || !connected(this.connection)) this.restart();
  }

  /** A call.restart of the server. @param {Frame} frame */
  restarted(frame) {
    this.restartedAt = Date.now();
    this.config = configOf(frame);
    this.connection.setConfiguration(this.config);
    if (this.role !== 'caller') return;
    this.restarts += 1;
    this.then(async () => {
      const anew = this.restarts > RESTARTS && !connected(this.connection);
      if (anew) this.build();
      await this.offer(!anew);
    });
  }

  /** Another track of the same kind. @param {MediaStreamTrack} track */
  replace(track) {
    const sender = this.connection.getSenders().find((one) => one.track?.kind === track.kind);
    void sender?.replaceTrack(track).catch(() => {});
    this.tracks = this.tracks.then((tracks) => ({ ...tracks, [track.kind]: track }));
  }

  close() {
    this.closed = true;
    clearTimeout(this.patience);
    this.flow?.stop();
    this.connection.close();
  }
}

/** @param {Frame} frame @returns {RTCConfiguration} */
const configOf = (frame) => ({
  iceServers: frame.ice_servers,
  iceTransportPolicy: frame.ice_policy,
  bundlePolicy: 'max-bundle',
});

/** @param {RTCPeerConnection} connection */
const connected = (connection) => ['connected', 'completed'].includes(connection.iceConnectionState);
