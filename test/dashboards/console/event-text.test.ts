import { describe, expect, test } from 'vitest';
import { EventText, NoEvent } from '../../../dashboards/console/source/live/event-text.ts';

const sent = (name: string, data: unknown): string => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

describe('the events that a console reads', () => {
  test('are taken as they become whole, however the network cuts them, and signs of life between them are none', () => {
    const reader = new EventText();
    const text = `${sent('hello', { release: '1' })}:\n\n${sent('models', [])}`;
    expect(text.split(/(?:)/u).flatMap((character) => reader.take(character))).toEqual([
      { name: 'hello', data: { release: '1' } },
      { name: 'models', data: [] },
    ]);
  });

  test.each(['\u2028', '\u2029', '\u0085', '\n', '\r', '\u0000', 'é'])(
    'may have %j in their texts',
    (character) => {
      const data = { phaseName: `one${character}two` };
      expect(new EventText().take(sent('experiments', data))).toEqual([{ name: 'experiments', data }]);
    },
  );

  test.each(['data: {}', 'event: models', 'event: models\ndata: {', '<html>'])(
    'are not %j, which is told',
    (text) => {
      expect(() => new EventText().take(`${text}\n\n`)).toThrow(NoEvent);
    },
  );
});
