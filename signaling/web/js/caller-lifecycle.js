// The caller's page: from the one button to the next call. Pure, see lifecycle.js.

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
  send,
  show,
  sound,
  tell,
} from './lifecycle.js';

/** @typedef {import('./lifecycle.js').Now} Now @typedef {import('./lifecycle.js').Move} Move */
/** @typedef {import('./lifecycle.js').Moves} Moves @typedef {import('./lifecycle.js').Effect} Effect */
/** @typedef {import('./lifecycle.js').Happening} Happening */

/** @returns {Now} */
export const start = (kept = {}) => fresh('ready', kept);

/** Back to the one button, without camera. @type {(now: Now, ...effects: Effect[]) => [Now, ...Effect[]]} */
const home = (now, ...effects) => [
  { ...fresh('ready'), dropped: now.dropped },
  { do: 'camera.close' },
  show('ready'),
  ...effects,
];

/** The camera first: opening it takes time, and while a volunteer waits is the wrong moment. @type {Move} */
const ask = (now, event) => [
  { ...fresh('camera'), request: event.request_id, dropped: now.dropped },
  { do: 'camera.open' },
  tell('camera'),
];

/** @type {Move} */
const stop = (now) =>
  home({ ...now, dropped: now.request }, send('help.cancel', { request_id: now.request }), tell('stopped'));

/** @type {Move} */
const status = (now, event) => {
  if (event.request_id !== now.request) return null;
  const again = event.state === 'looking_again';
  /** @type {Effect[]} */
  const shown = now.at === 'ringing' || now.at === 'asking' ? [] : [show('waiting')];
  const what = event.state === 'reserved' ? 'reserved' : 'looking';
  return [
    { ...now, at: 'ringing' },
    ...shown,
    tell(what, { asked: event.asked, waited: event.waited, again: again && now.at !== 'ringing' }),
    sound('tick'),
  ];
};

/** @type {Move} */
const nobody = (now, event) =>
  event.request_id === now.request
    ? [{ ...now, at: 'nobody' }, show('nobody'), tell('nobody', { waited: event.waited }), sound('nobody')]
    : null;

/** @type {Move} */
const requestClosed = (now, event) =>
  event.request_id === now.request ? home(now, tell('request_closed', { reason: event.reason })) : null;

/** Somebody answered. A page that did not ask says where the call is. @type {Move} */
const begin = (now, event) => {
  if (mine(now, event)) return begun(now, event);
  // It was answered in the moment in which the person stopped asking: nobody wants this call any more.
  if (event.request_id === now.dropped) return [now, send('call.end', { call_id: event.call_id, reason: 'done' })];
  return now.at === 'ready' || now.at === 'camera' || now.at === 'ended' ? elsewhere(now, event) : null;
};

/** @type {Move} */
const refused = (now, event) => {
  if (event.of !== 'help.ask') return null;
  if (event.code === 'request_open' || event.code === 'in_call') return elsewhere(now, { type: 'other' });
  return home(now, tell('problem', { detail: event.detail }), sound('nobody'));
};

/**
 * Ended by the network: the server asks again by itself, first in line, and the camera stays open for the next one.
 * @type {Move}
 */
const over = (now, event) => {
  const normally = CONNECTED['call.ended']?.(now, event) ?? null;
  if (normally === null || !['volunteer_lost', 'not_connected'].includes(event.reason)) return normally;
  return [
    { ...now, at: 'ringing', trouble: '', partner: null, reason: event.reason },
    { do: 'peer.close' },
    show('waiting'),
    alert('again', { reason: event.reason }),
    sound('lost'),
  ];
};

/** The request goes on after all: the volunteer left before the two had met. @type {Move} */
const goesOn = (now, event) => {
  if (event.state !== 'looking_again' || now.reason === 'hung' || now.reason === 'abuse') return null;
  const made = status(now, event);
  if (made === null) return null;
  const [state, ...effects] = made;
  return [state, { do: 'camera.open' }, ...effects];
};

/** @type {(now: Now, request: Happening) => [Now, ...Effect[]]} */
const rejoinRequest = (now, request) => [
  { ...now, at: request.nobody ? 'nobody' : 'ringing', request: request.request_id, there: null },
  { do: 'peer.close' },
  { do: 'camera.open' },
  show(request.nobody ? 'nobody' : 'waiting'),
  tell(request.nobody ? 'nobody' : 'looking', { asked: null, waited: request.waited, again: false }),
];

const IN_CALL = ['connecting', 'connected'];
const WAITING = ['ringing', 'nobody'];

/**
 * The server said hello. A resumed session goes on with the events that were missed; otherwise `state` is the truth.
 * @type {Move}
 */
const welcome = (now, event) => {
  if (event.resumed) return [now, { do: 'peer.check' }];
  const { call, request } = event.state;
  if (call) {
    if (!mine(now, call)) return elsewhere(now, call);
    if (IN_CALL.includes(now.at) && call.call_id === now.call) return [now, { do: 'peer.check' }];
    return begun(now, call, true, now.at === 'ready' ? 'rejoining' : 'connecting');
  }
  if (IN_CALL.includes(now.at)) {
    if (request?.request_id === now.request) return rejoinRequest(now, request);
    return CONNECTED['call.ended']?.(now, { call_id: now.call, reason: 'gone' }) ?? null;
  }
  if (request) {
    if (request.request_id !== now.request) return elsewhere(now, request);
    if (WAITING.includes(now.at) && (now.at === 'nobody') === Boolean(request.nobody)) return null;
    return now.at === 'asking' ? null : rejoinRequest(now, request);
  }
  // What this page waited for is over, or a page was loaded anew after the end.
  if (WAITING.includes(now.at)) return home(now, tell('request_closed', { reason: 'gone' }));
  if (now.at === 'elsewhere') return home(now);
  return now.at === 'ready' && (now.request || now.call) ? [fresh('ready')] : null;
};

/** What another window did is over. @type {Move} */
const overThere = (now, event) => {
  const { call_id: call, request_id: request } = now.there ?? { type: '' };
  const same = event.call_id ? event.call_id === call || !call : event.request_id === request || !request;
  return same ? home(now, tell('over_there')) : null;
};

/** The socket is away for longer than a moment, while nobody talks yet. @type {Moves} */
const WIRE = {
  'wire.lost': (now) => [now, alert('offline')],
  'wire.back': (now) => [now, alert('online')],
};

/** @type {Moves} */
const ALWAYS = {
  welcome,
  'wire.closed': closed,
  'call.begin': begin,
  'account.changed': (now, event) => [now, tell('account', { standing: event.standing })],
};

const step = machine(
  {
    ready: {
      'press.ask': ask,
      'help.status': (now, event) => (event.request_id === now.dropped ? null : elsewhere(now, event)),
    },
    camera: {
      // Pressed twice while the browser asks for permission: once is enough.
      'press.ask': (now) => [now],
      'camera.opened': (now) => [
        { ...now, at: 'asking' },
        send('help.ask', { request_id: now.request }),
        show('waiting'),
        tell('asking'),
        sound('asking'),
      ],
      'camera.failed': (now, event) => [fresh('trouble'), show('trouble'), tell('trouble', { why: event.why })],
    },
    trouble: {
      'press.ask': ask,
    },
    asking: {
      ...WIRE,
      'help.status': status,
      'help.nobody': nobody,
      'help.closed': requestClosed,
      refused,
      'press.stop': stop,
    },
    ringing: {
      ...WIRE,
      'help.status': status,
      'help.nobody': nobody,
      'help.closed': requestClosed,
      refused,
      'press.stop': stop,
      'camera.failed': (now, event) => {
        const [state, ...effects] = /** @type {[Now, ...Effect[]]} */ (stop(now, event));
        return [{ ...state, at: 'trouble' }, ...effects, show('trouble'), tell('trouble', { why: event.why })];
      },
    },
    nobody: {
      ...WIRE,
      'help.status': status,
      'help.closed': requestClosed,
      'press.wait': (now) => [
        { ...now, at: 'ringing' },
        send('help.wait', { request_id: now.request }),
        show('waiting'),
        tell('waiting_on'),
      ],
      'press.stop': stop,
    },
    connecting: { ...CONNECTING, 'call.ended': over },
    connected: { ...CONNECTED, 'call.ended': over },
    ended: {
      'press.ask': ask,
      'help.status': goesOn,
      'call.ended': said,
    },
    elsewhere: {
      'press.here': (now) => {
        if (now.there?.call_id && !now.there.taken) return begun(now, now.there, true, 'rejoining');
        if (now.there?.request_id) return rejoinRequest(now, now.there);
        return [now, { do: 'reload' }];
      },
      'help.closed': overThere,
      'call.ended': overThere,
      'call.begin': (now, event) => [{ ...now, there: event }],
      'help.status': (now, event) => [{ ...now, there: now.there?.call_id ? now.there : event }],
    },
    closed: {},
  },
  ALWAYS,
);

export default step;
