// The shell that both call pages share: feeds the machine with what happens and carries out its effects.

import { After } from './after.js';
import { Announcer } from './announce.js';
import { Api } from './api.js';
import { Awake } from './awake.js';
import { Camera, whyNot } from './camera.js';
import { _ } from './i18n.js';
import { Peer } from './peer.js';
import { Push } from './push.js';
import { Screens } from './screens.js';
import { Sounds } from './sound.js';
import { Wire } from './wire.js';
import { ended, met, offered, repair, words } from './words.js';

/** @typedef {import('./lifecycle.js').Now} Now @typedef {import('./lifecycle.js').Happening} Happening */
/** @typedef {import('./lifecycle.js').Effect} Effect */

const KEPT = 'visavis.page';
const LOST_AFTER = 2000; // a shorter gap of the socket is nobody's concern
const AWAKE = new Set(['asking', 'ringing', 'nobody', 'connecting', 'connected', 'waiting', 'accepting', 'opening']);

export class Page {
  /**
   * @param {'caller' | 'volunteer'} role
   * @param {(now: Now, event: Happening) => {state: Now, effects: Effect[]}} step
   * @param {(kept: object) => Now} start
   */
  constructor(role, step, start) {
    this.role = role;
    this.step = step;
    this.now = start(recall());
    /** @type {Happening[]} */
    this.queue = [];
    this.busy = false;
    /** @type {Peer | null} */
    this.peer = null;
    this.away = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.lostTimer = undefined;
    this.screens = new Screens(element('main'));
    this.announcer = new Announcer(element('said'), element('alerted'));
    this.sounds = new Sounds();
    this.awake = new Awake();
    this.api = new Api();
    this.push = new Push(this.api);
    this.camera = new Camera({ video: role === 'caller', onReplaced: (track) => this.replaced(track) });
    this.after = new After(this.api, role, this.screens, this.announcer);
    this.windows = 'BroadcastChannel' in globalThis ? new BroadcastChannel('visavis') : null;
    this.wire = new Wire(this.api, {
      onEvent: (frame) => this.handle(frame),
      onWelcome: (welcome) => this.welcomed(welcome),
      onLost: () => this.lost(),
      onClosed: (why, detail) => this.handle({ type: 'wire.closed', why, detail }),
      onDelay: (problem) => this.tell(problem.detail),
    });
  }

  start() {
    document.addEventListener('click', (event) => this.clicked(event));
    this.windows?.addEventListener('message', ({ data }) => {
      if (data?.taken && data.taken === this.now.call) this.handle({ type: 'peer.taken' });
    });
    addEventListener('online', () => this.peer?.check(true));
    this.paint();
    document.documentElement.dataset.live = 'yes';
    if (!globalThis.RTCPeerConnection || !navigator.mediaDevices?.getUserMedia) {
      this.screens.show('trouble');
      this.tell(repair(globalThis.isSecureContext === false ? 'insecure' : 'unsupported', this.role));
      return;
    }
    this.wire.start();
    this.opened();
  }

  /** The page was opened by a tap on a notification, which names the offer. */
  opened() {
    const address = new URL(location.href);
    const offer = address.searchParams.get('offer');
    if (!offer || this.role !== 'volunteer') return;
    address.searchParams.delete('offer');
    history.replaceState(null, '', address); // loaded again, the page does not tap again
    this.handle({ type: 'open.offer', offer_id: offer });
  }

  // --- events

  /** @param {Happening} event */
  handle(event) {
    this.queue.push(event);
    if (this.busy) return;
    this.busy = true;
    try {
      for (let next = this.queue.shift(); next; next = this.queue.shift()) {
        const { state, effects } = this.step(this.now, next);
        this.now = state;
        keep(state);
        for (const effect of effects) this.perform(effect);
        this.paint();
      }
    } finally {
      this.busy = false;
    }
  }

  /** @param {Event} event */
  clicked(event) {
    const button = event.target instanceof Element ? event.target.closest('button') : null;
    if (!button) return;
    const { press, toggle, reason } = button.dataset;
    if (press) {
      this.sounds.unlock();
      this.handle({
        type: `press.${press}`,
        request_id: crypto.randomUUID(),
        accept_id: crypto.randomUUID(),
        reason: reason ?? 'done',
      });
    } else if (toggle) {
      this.toggled(button, toggle);
    }
  }

  /** A toggle keeps its label and flips aria-pressed. @param {HTMLButtonElement} button @param {string} what */
  toggled(button, what) {
    const on = button.getAttribute('aria-pressed') !== 'true';
    if (what === 'flip') return void this.flip();
    if (what === 'hear') return this.hear();
    if (what === 'never-again') return void this.after.neverAgain(on);
    button.setAttribute('aria-pressed', String(on));
    if (what === 'mute') this.camera.mute(on);
    else if (what === 'hide') this.camera.hide(on);
    else if (what === 'sound') {
      this.sounds.turn(on);
      this.sounds.unlock();
      this.sounds.play('connected');
    }
  }

  async flip() {
    const facing = await this.camera.flip().catch(() => '');
    this.tell(
      facing === 'environment'
        ? _('The back camera is on.')
        : facing === 'user'
          ? _('The front camera is on.')
          : _('The camera was switched.'),
    );
  }

  /** @param {Happening} welcome */
  welcomed(welcome) {
    clearTimeout(this.lostTimer);
    if (this.away) this.handle({ type: 'wire.back' });
    this.away = false;
    this.handle(welcome);
  }

  lost() {
    clearTimeout(this.lostTimer);
    this.lostTimer = setTimeout(() => {
      this.away = true;
      this.handle({ type: 'wire.lost' });
    }, LOST_AFTER);
  }

  // --- effects

  /** @param {Effect} effect */
  perform(effect) {
    switch (effect.do) {
      case 'send':
        return void this.command(effect.frame);
      case 'show':
        return this.show(effect.screen);
      case 'tell':
        return this.tell(words(effect.what, effect, this.role));
      case 'say':
        return this.announcer.say(words(effect.what, effect, this.role));
      case 'alert':
        return this.alert(words(effect.what, effect, this.role), effect.spoken);
      case 'sound':
        return this.sounds.play(effect.name);
      case 'sound.unlock':
        return this.sounds.unlock();
      case 'ring':
        return this.sounds.ring(effect.on);
      case 'camera.open':
        return void this.open('camera.opened');
      case 'microphone.check':
        return void this.open('microphone.ready');
      case 'camera.close':
        return this.camera.close();
      case 'peer.open':
        return this.connect(effect.begin, effect.joining);
      case 'peer.close':
        this.peer?.close();
        this.peer = null;
        return;
      case 'peer.signal':
        return this.peer?.signalled(effect.frame);
      case 'peer.restart':
        return this.peer?.restarted(effect.frame);
      case 'peer.check':
        return this.peer?.check(false);
      case 'quieten':
        return void this.push.quieten();
      case 'ended':
        return void this.after.settled(this.now);
      case 'reload':
        return location.reload();
      default:
        throw new Error(`no effect ${effect.do}`);
    }
  }

  /** @param {Happening} frame */
  async command(frame) {
    try {
      const ok = await this.wire.command(frame);
      this.handle({ ...ok, type: 'done', of: frame.type });
    } catch (problem) {
      const { code, detail, points } = /** @type {import('./api.js').Problem} */ (problem);
      this.handle({ type: 'refused', of: frame.type, code, detail, points });
    }
  }

  /** @param {string} screen */
  show(screen) {
    this.screens.fill('status', '');
    this.screens.show(screen);
    for (const [toggle, on] of [
      ['mute', this.camera.muted],
      ['hide', this.camera.hidden],
      ['sound', this.sounds.on],
    ]) {
      this.screens.main.querySelector(`[data-toggle="${toggle}"]`)?.setAttribute('aria-pressed', String(on));
    }
    if (screen === 'ended') this.after.begin(this.now);
    if (screen === 'call') this.play();
    this.awake.want(AWAKE.has(this.now.at));
  }

  /** @param {string} text */
  tell(text) {
    this.screens.fill('status', text);
    this.announcer.say(text);
  }

  /** @param {string} text */
  alert(text, spoken = false) {
    if (!spoken) this.screens.fill('status', text);
    this.announcer.alert(text);
  }

  /** What stands on the page all the time, for whoever reads instead of listening. */
  paint() {
    const { now, role, screens } = this;
    screens.fill('partner', now.at === 'connected' ? met(now.partner, role) : '');
    screens.fill('reason', now.at === 'ended' ? ended(now.reason, role) : '');
    screens.fill('offer', now.offers[0] ? offered(now.offers[0]) : '');
    screens.when('met', now.met);
    screens.when('call-back', now.mayCallBack);
    screens.when('no-call-back', !now.mayCallBack);
    screens.when('trouble', now.trouble !== '');
    document.documentElement.dataset.trouble = now.trouble;
  }

  // --- devices

  /** @param {string} done */
  async open(done) {
    try {
      const tracks = await this.camera.open();
      if (done === 'microphone.ready') this.camera.close(); // only to know that it works: nobody talks yet
      void tracks;
      this.handle({ type: done });
    } catch (error) {
      if (error instanceof DOMException && error.message === 'closed meanwhile') return;
      this.handle({ type: 'camera.failed', why: whyNot(error) });
    }
  }

  /** @param {MediaStreamTrack} track */
  replaced(track) {
    this.peer?.replace(track);
    this.play();
  }

  /** @param {Happening} begin @param {boolean} joining */
  connect(begin, joining) {
    this.peer?.close();
    const tracks = this.camera.open();
    tracks.catch(() => {}); // said by the effect that opens it
    this.peer = new Peer({
      begin,
      tracks,
      send: (frame) => void this.command(frame),
      on: (event) => this.handle(event),
      onStream: (stream) => {
        this.theirs = stream;
        this.play();
      },
    });
    this.peer.start(joining);
    this.windows?.postMessage({ taken: begin.call_id });
  }

  /** Picture and sound into the places of this screen. */
  play() {
    const theirs = this.screens.media('theirs');
    const own = this.screens.media('own');
    const video = this.camera.tracks?.video;
    if (own && video) own.srcObject = new MediaStream([video]);
    if (!theirs || !this.theirs || !this.peer) return;
    if (theirs.srcObject !== this.theirs) theirs.srcObject = this.theirs;
    // A page that was loaded in mid-call may play nothing until something is pressed.
    theirs.play().then(
      () => this.screens.when('silent', false),
      (error) => this.screens.when('silent', error instanceof DOMException && error.name === 'NotAllowedError'),
    );
  }

  hear() {
    this.sounds.unlock();
    this.play();
  }
}

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** What this window has going on: a loaded page must know its own request from another window's. */
function recall() {
  try {
    const { request = null, call = null } = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}');
    return { request, call };
  } catch {
    return {};
  }
}

/** @param {Now} now */
function keep({ at, request, call }) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(at === 'ended' || at === 'elsewhere' ? {} : { request, call }));
  } catch {
    // A browser that keeps nothing: after a reload the page says that something goes on in another window.
  }
}
