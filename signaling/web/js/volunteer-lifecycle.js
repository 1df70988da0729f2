// The volunteer's page: from the start of a shift to the next ring. Pure, see lifecycle.js.

import {
  alert,
  begun,
  closed,
  CONNECTED,
  CONNECTING,
  elsewhere,
  fresh,
  machine,
  mine,
  said,
  say,
  send,
  show,
  sound,
  tell,
} from './lifecycle.js';

/** @typedef {import('./lifecycle.js').Now} Now @typedef {import('./lifecycle.js').Move} Move */
/** @typedef {import('./lifecycle.js').Moves} Moves @typedef {import('./lifecycle.js').Effect} Effect */
/** @typedef {import('./lifecycle.js').Happening} Happening */

/** @returns {Now} */
export const start = (kept = {}) => fresh('off', kept);

const EARLY = 20;

/** @type {Effect} */
const QUIET = { do: 'ring', on: false };
/** @type {Effect} */
const RING = { do: 'ring', on: true };

/** Nothing to answer: on shift, if it was one that brought the page here. @type {(now: Now, ...effects: Effect[]) => [Now, ...Effect[]]} */
const wait = (now, ...effects) => {
  const at = now.offShift ? 'off' : 'waiting';
  return [{ ...fresh(at), dropped: now.dropped }, QUIET, { do: 'camera.close' }, show(at), ...effects];
};

/** The next offer that rings, or the wait. @type {(now: Now, ...effects: Effect[]) => [Now, ...Effect[]]} */
const next = (now, ...effects) => {
  const [offer] = now.offers;
  if (!offer) return wait(now, ...effects);
  return [
    { ...fresh('ringing'), offers: now.offers, dropped: now.dropped, offShift: now.offShift },
    RING,
    show('ringing'),
    ...effects,
    say('ring', { offer }),
  ];
};

/** @type {Move} */
const ring = (now, event) => {
  if (now.offers.some((offer) => offer.offer_id === event.offer_id)) return null;
  const state = { ...now, offers: [...now.offers, event] };
  return now.at === 'waiting' ? next(state) : [state];
};

/** Somebody who was just helped was cut off: that rings off shift, too. @type {Move} */
const ringBack = (now, event) => (event.callback ? next({ ...now, offers: [event], offShift: true }) : null);

/** A notification was tapped. Nobody else wins while the server's answer is on the way. @type {Move} */
const open = (now, event) => [
  { ...now, at: 'opening', opening: event.offer_id, offShift: !['waiting', 'ringing'].includes(now.at) },
  QUIET,
  send('offer.open', { offer_id: event.offer_id }),
  show('connecting'),
  tell('opening'),
];

/** @type {Move} */
const opened = (now, event) => {
  if (event.of !== 'offer.open') return null;
  if (event.open) return next({ ...now, offers: [event.offer, ...without(now, event.offer.offer_id)] });
  const kind = event.gone === 'taken' ? tell('late', { points: event.points }) : tell('gone', { reason: event.gone });
  return next(now, kind, sound('late'));
};

/** @type {(now: Now, id: string) => Happening[]} */
const without = (now, id) => now.offers.filter((offer) => offer.offer_id !== id);

/** @type {Move} */
const gone = (now, event) => {
  const offers = without(now, event.offer_id);
  if (offers.length === now.offers.length) return null;
  const shown = now.offers[0]?.offer_id === event.offer_id;
  return shown ? next({ ...now, offers }, tell('gone', { reason: event.reason })) : [{ ...now, offers }];
};

/** Answered here; until the server says whether it was the first answer, nothing else rings. @type {Move} */
const accept = (now, event) => {
  const offer = /** @type {Happening} */ (now.offers[0]);
  return [
    { ...now, at: 'accepting', request: offer.request_id },
    QUIET,
    { do: 'quieten' },
    { do: 'camera.open' },
    send('offer.accept', { offer_id: offer.offer_id, accept_id: event.accept_id }),
    show('connecting'),
    tell('accepting'),
  ];
};

/** @type {Move} */
const decline = (now) => {
  const offer = /** @type {Happening} */ (now.offers[0]);
  return next(
    { ...now, offers: now.offers.slice(1) },
    { do: 'quieten' },
    send('offer.decline', { offer_id: offer.offer_id }),
    tell('declined'),
  );
};

/** A late tap is no failure: the words are a thank-you. @type {Move} */
const late = (now, event) => {
  if (event.of !== 'offer.accept') return null;
  const offers = now.offers.slice(1);
  const taken = event.code === 'offer_taken';
  return next({ ...now, offers }, taken ? tell('late', { points: event.points }) : tell('problem', { detail: event.detail }), sound('late'));
};

/** @type {Move} */
const begin = (now, event) => {
  // Whoever rates in peace is not rung meanwhile; after the call the shift goes on with one press.
  if (mine(now, event)) return [...begun(now, event), QUIET, send('shift.end', {})];
  // It was won in the moment in which the person thought better of it.
  if (event.request_id === now.dropped) return [now, send('call.end', { call_id: event.call_id, reason: 'done' })];
  return IN_CALL.includes(now.at) ? null : [...elsewhere(now, event), QUIET];
};

/** @type {Move} */
const startShift = (now) => [
  { ...fresh('checking') },
  { do: 'sound.unlock' },
  { do: 'microphone.check' },
  tell('microphone'),
];

/** @type {Move} */
const endShift = () => [{ ...fresh('off') }, QUIET, send('shift.end', {}), show('off'), tell('off')];

const IN_CALL = ['connecting', 'connected'];
const OFF_SHIFT = ['off', 'trouble', 'ended'];
const ON_SHIFT = ['starting', 'waiting', 'ringing', 'accepting'];

/**
 * The server said hello. A resumed session goes on with the events that were missed; otherwise `state` is the truth,
 * and a new session is on shift only once it says so.
 * @type {Move}
 */
const welcome = (now, event) => {
  if (event.resumed) return [now, { do: 'peer.check' }];
  const { call, offers, shift } = event.state;
  if (call) {
    if (!mine(now, call)) return elsewhere(now, call);
    if (IN_CALL.includes(now.at) && call.call_id === now.call) return [now, { do: 'peer.check' }];
    return begun(now, call, true, now.at === 'off' ? 'rejoining' : 'connecting');
  }
  if (IN_CALL.includes(now.at)) return CONNECTED['call.ended']?.(now, { call_id: now.call, reason: 'gone' }) ?? null;
  if (now.at === 'elsewhere') return [fresh('off'), show('off')];
  const back = offers.find((/** @type {Happening} */ offer) => offer.callback);
  if (OFF_SHIFT.includes(now.at) && back) return ringBack(now, back);
  if (now.at === 'opening') return null; // the answer is still to come
  if (!ON_SHIFT.includes(now.at)) return now.call || now.request ? [{ ...now, call: null, request: null }] : null;
  /** @type {Effect[]} */
  const again = shift || now.offShift ? [] : [send('shift.start', {})];
  if (now.at === 'accepting' || now.at === 'starting') return [now, ...again]; // their answers are still to come
  const [state, ...effects] = next({ ...now, offers });
  return [state, ...again, ...effects];
};

/** The socket is away for longer than a moment: nobody can be rung. @type {Moves} */
const WIRE = {
  'wire.lost': (now) => [now, alert('offline')],
  'wire.back': (now) => [now, alert('online')],
};

/** @type {Moves} */
const ALWAYS = {
  welcome,
  'wire.closed': (now, event) => [.../** @type {[Now, ...Effect[]]} */ (closed(now, event)), QUIET],
  'call.begin': begin,
  'account.changed': (now, event) => [now, tell('account', { standing: event.standing })],
};

const step = machine(
  {
    off: { 'press.start': startShift, 'offer.ring': ringBack, 'open.offer': open },
    opening: {
      done: opened,
      refused: (now, event) =>
        event.of === 'offer.open' ? next(now, tell('problem', { detail: event.detail })) : null,
      'offer.ring': (now, event) => [{ ...now, offers: [...without(now, event.offer_id), event] }],
      'offer.gone': (now, event) => [{ ...now, offers: without(now, event.offer_id) }],
      'press.end': (now) => next(now, send('offer.decline', { offer_id: now.opening }), tell('declined')),
    },
    checking: {
      'press.start': (now) => [now],
      'microphone.ready': (now) => [{ ...now, at: 'starting' }, send('shift.start', {})],
      'camera.failed': (now, event) => [
        { ...now, at: 'trouble' },
        show('trouble'),
        tell('trouble', { why: event.why }),
      ],
    },
    trouble: { 'press.start': startShift, 'offer.ring': ringBack },
    starting: {
      'press.start': (now) => [now],
      done: (now, event) => (event.of === 'shift.start' ? next(now, tell('on')) : null),
      refused: (now, event) =>
        event.of === 'shift.start' ? [fresh('off'), show('off'), tell('problem', { detail: event.detail })] : null,
      'offer.ring': ring,
      'offer.gone': gone,
    },
    waiting: { ...WIRE, 'offer.ring': ring, 'open.offer': open, 'press.off': endShift },
    ringing: {
      ...WIRE,
      'open.offer': open,
      'offer.ring': ring,
      'offer.gone': gone,
      'press.accept': accept,
      'press.decline': decline,
      'press.off': endShift,
    },
    accepting: {
      // The answer to the accept says it more kindly.
      'offer.gone': (now, event) =>
        now.offers[0]?.offer_id === event.offer_id ? null : [{ ...now, offers: without(now, event.offer_id) }],
      'offer.ring': ring,
      // The caller's offer may overtake the news that there is a call: they come from different nodes.
      'call.signal': (now, event) => [{ ...now, early: [...now.early, event].slice(-EARLY) }],
      refused: late,
      'press.end': (now) => wait({ ...now, dropped: now.request }, tell('declined')),
    },
    connecting: CONNECTING,
    connected: CONNECTED,
    ended: {
      'press.start': startShift,
      'press.off': (now) => [fresh('off'), show('off')],
      'offer.ring': ringBack,
      'open.offer': open,
      'call.ended': said,
    },
    elsewhere: {
      'press.here': (now) =>
        now.there?.call_id && !now.there.taken ? begun(now, now.there, true, 'rejoining') : [now, { do: 'reload' }],
      'call.ended': () => [fresh('off'), show('off'), tell('over_there')],
      'call.begin': (now, event) => [{ ...now, there: event }],
    },
    closed: {},
  },
  ALWAYS,
);

export default step;
