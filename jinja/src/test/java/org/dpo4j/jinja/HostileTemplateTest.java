package org.dpo4j.jinja;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Closes the defect that a template from a stranger reaches Java, or takes the process down by its
 * size: time, memory and stack are bounded, and every bound ends in a message with a place.
 */
class HostileTemplateTest {

  private static String render(String source) {
    return Template.parse(source, "evil.jinja").render(Map.of("text", "x", "n", 3), Map.of());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ ''.__class__.__mro__ }}",
        "{{ ''['__class__'].x }}",
        "{{ text|attr('__class__')|attr('__mro__') }}{{ (text|attr('__class__')).x }}",
        "{{ text.getClass() }}",
        "{{ n.getClass().forName('java.lang.Runtime') }}",
        "{{ [].append(1) }}",
        "{{ {}.update({'a': 1}) }}",
        "{{ range.__globals__.x }}",
        "{{ [1]|map('getClass')|list }}",
        "{{ [1]|map(attribute='class.name')|list }}",
        "{{ '{0.__class__.__mro__}'.format(1) }}",
        "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% from 'os' import system %}",
        "{% extends 'base.html' %}",
        "{% do [].append(1) %}",
        "{{ lipsum() }}",
        "{{ cycler('a').next() }}",
        "{{ joiner(',')() }}",
        "{{ self.x }}",
        "{{ self._TemplateReference__context.x }}",
        "{{ text.format.__func__.x }}",
        "{{ '{a.b}'.format_map({'a': 1}) }}",
        "{{ range.mro() }}",
        "{{ dict.fromkeys.x.y }}",
        "{{ namespace.__init__.x }}",
        "{{ raise_exception.x.y }}",
        "{{ loop.x }}",
        "{% for i in [1] %}{{ loop._iterator.x }}{% endfor %}",
        "{% macro m() %}{% endmacro %}{{ m._func.x }}{{ m.__globals__.x }}",
        "{% macro m() %}{{ caller.__code__.x }}{% endmacro %}{% call m() %}{% endcall %}",
        "{{ [].sort() }}",
        "{{ [].extend([1]) }}",
        "{{ {}.setdefault('a', []) }}",
        "{{ {}.popitem() }}",
        "{{ ''.class.x }}",
        "{{ ''['class']['x'] }}",
        "{{ [text]|map(attribute='bytes.length')|map('upper')|map(attribute='x.y')|list }}",
        "{{ [text]|map('attr', '__class__')|map(attribute='x')|list }}",
      })
  void nothingOutsideTheTemplateIsReached(String source) {
    assertThatThrownBy(() -> render(source))
        .isInstanceOf(TemplateException.class)
        .hasMessageStartingWith("[evil.jinja:1]");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{{ range(1000000000000) }}",
        "{{ range(100001)|length }}",
        "{{ 'x' * 1000000000000 }}",
        "{{ [0] * 1000000000 }}",
        "{{ 'x'.center(1000000000) }}",
        "{{ 'x'|indent(1000000000, true) }}",
        "{{ '%999999999d' % 1 }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ [1]|tojson(indent=1000000000) }}",
        "{{ [1]|batch(1000000000, 0)|list }}",
        "{{ [1]|slice(1000000000)|list }}",
        "{{ 2 ** 10000000000 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{% set a = 'x' * 4000 %}{{ a.replace('x', a).replace('x', a) }}",
        "{% set a = 'x' * 10000000 %}{{ (a ~ 'y')|replace('', a) }}",
        "{% set ns = namespace(a='xx') %}{% for i in range(99) %}{% set ns.a = ns.a ~ ns.a %}"
            + "{% endfor %}",
        "{% set ns = namespace(a=[0]) %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}"
            + "{% endfor %}",
        "{% set ns = namespace(a=[0]) %}{% for i in range(99) %}{% set ns.a = [ns.a, ns.a] %}"
            + "{% endfor %}{{ ns.a }}",
        "{% set ns = namespace(a=[]) %}{% for i in range(1000) %}{% set ns.a = [ns.a] %}"
            + "{% endfor %}{{ ns.a }}",
        "{% set r = range(100000) %}{% for a in r %}{% for b in r %}{% for c in r %}"
            + "{% endfor %}{% endfor %}{% endfor %}",
        "{% set a = 'x' * 10000000 %}{% for i in range(100000) %}{% if 'y' in a %}{% endif %}"
            + "{% endfor %}",
        "{% for i in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(x) %}{{ f(x + 1) ~ f(x + 1) }}{% endmacro %}{{ f(0) }}",
        "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'.zfill(1000000000) }}",
        "{{ 'a'|center(1000000000) }}",
        "{{ '%*d' % (1000000000, 1) }}",
        "{{ '%.999999999f' % 1.5 }}",
        "{{ '{:.999999999f}'.format(1.5) }}",
        "{{ '{0:{1}}'.format(1, 999999999) }}",
        "{{ '%1000000000s'|format('a') }}",
        "{{ 'a' * 16000000 ~ 'a' * 16000000 }}",
        "{% set a = 'x' * 5000 %}{{ [a] * 5000 | join }}{{ ([a] * 5000)|join }}",
        "{{ ('x,' * 8000000).split(',')|length }}",
        "{{ ('x' * 10000000)|list|length }}",
        "{{ ('x' * 1000000)|batch(1)|map('list')|list|length * 'x' * 99 }}",
        "{% set ns = namespace(l=[0]) %}{% for i in range(100000) %}{% set ns.l = ns.l + [i] %}"
            + "{% endfor %}",
        "{% set ns = namespace() %}{% set ns.a = [ns] %}{{ ns.a|tojson }}",
        "{% set ns = namespace(d={}) %}{% for i in range(1000) %}{% set ns.d = {'k': ns.d} %}"
            + "{% endfor %}{{ ns.d|tojson }}",
        "{% set ns = namespace(d=1) %}{% for i in range(60) %}{% set ns.d = {'a': ns.d, 'b': ns.d} %}"
            + "{% endfor %}{{ ns.d|string|length }}",
        "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{% macro a() %}{{ caller() }}{% endmacro %}"
            + "{% macro b() %}{% call a() %}{{ b() }}{% endcall %}{% endmacro %}{{ b() }}",
        "{% macro f(n) %}{% for i in range(100) %}{{ f(n) if n else '' }}{% endfor %}{% endmacro %}"
            + "{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for i in range(100000) %}{% set a = range(100000)|list %}{% endfor %}",
        "{% for i in range(100000) %}{% set a = range(100000)|sort|length %}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 100000)|upper|length }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 100000).count('b') }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 100000) == ('a' * 100000) }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('a' * 1000000)|wordcount }}{% endfor %}",
        "{% for i in range(100000) %}{{ ('_1' * 1000000)|int }}{{ ('1_' * 100000)|float }}{% endfor %}",
        "{{ [text]|map('center', 999999999)|list }}",
        "{{ range(99999)|map('center', 9999)|join|length }}",
        "{% filter replace('', 'x' * 10000) %}{{ 'y' * 10000 }}{% endfilter %}",
        "{% set r = range(3000)|list %}{% for a in r %}{{ r.index(2999) ~ (r == r) ~ (2999 in r) }}"
            + "{% endfor %}"
            + "{% for a in r %}{% for b in r %}{{ b in r }}{% endfor %}{% endfor %}",
      })
  void boundsEndInAMessage(String source) {
    assertThatThrownBy(() -> render(source))
        .isInstanceOf(TemplateException.class)
        .hasMessageStartingWith("[evil.jinja:1]");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "(",
        "[",
        "-",
        "not ",
        "{1:",
        "x(",
        "x[",
        "1 if 1 else ",
        "x|f(",
        "{% if 1 %}",
        "1_1",
        "0x1f"
      })
  void deepNestingIsRefusedOnASmallStack(String part) throws InterruptedException {
    String nested = part.repeat(100_000);
    String source = part.startsWith("{%") ? nested : "{{ " + nested + " }}";
    assertThat(onSmallStack(source)).isInstanceOf(TemplateException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {" + 1", ".a", "|string", " ~ 1 + 1", " and 1", "()", " is defined"})
  void longChainsNeverOverflowTheStack(String link) throws InterruptedException {
    String source = "{{ 1" + link.repeat(100_000) + " }}";
    assertThat(onSmallStack(source)).isInstanceOf(TemplateException.class);
  }

  /** What parsing and rendering throws in a thread with half of the usual stack. */
  private static @Nullable Throwable onSmallStack(String source) throws InterruptedException {
    AtomicReference<@Nullable Throwable> thrown = new AtomicReference<>();
    Thread thread = new Thread(null, () -> render(source), "small", 512 << 10);
    thread.setUncaughtExceptionHandler((t, failure) -> thrown.set(failure));
    thread.start();
    thread.join();
    return thrown.get();
  }

  @Test
  void macroRecursionWithinTheBoundFitsASmallStack() throws InterruptedException {
    String source =
        "{% macro f(n) %}{% if n %}{% for i in [1] %}{{ (f(n - 1) ~ 1)|trim }}{% endfor %}"
            + "{% endif %}{% endmacro %}{{ f(30) }}";
    assertThat(onSmallStack(source)).isNull();
    assertThat(render(source)).isEqualTo("1".repeat(30));
  }

  @Test
  void textInDataIsNeverInterpreted() {
    String data = "{{ 1 + 1 }}{% raw %}{# x #}";
    assertThat(
            Template.parse("{{ m[0] }}|{% set x %}{{ m[0] }}{% endset %}{{ x }}", "t")
                .render(Map.of("m", List.of(data)), Map.of()))
        .isEqualTo(data + "|" + data);
  }

  @Test
  void contentThatLooksLikeATemplateStaysText() {
    String evil =
        "{{ raise_exception('run') }}{% for i in range(9) %}x{% endfor %}{{ ''.__class__ }}";
    String source =
        "{% for m in messages %}{{ m.content }}{{ m.content|trim|upper|lower }}{{ '%s' % m.content }}"
            + "{{ '{}'.format(m.content) }}{{ m.content|tojson }}{% endfor %}";
    String rendered =
        Template.parse(source, "t")
            .render(Map.of("messages", List.of(Map.of("content", evil))), Map.of());
    assertThat(rendered).contains(evil).contains("range(9)").doesNotContain("xxx");
  }

  @Test
  void aJavaObjectIsRefusedAsVariable() {
    Map<String, @Nullable Object> variables = Map.of("x", new java.io.File("y"));
    assertThatThrownBy(() -> Template.parse("{{ x }}", "t").render(variables, Map.of()))
        .isInstanceOf(TemplateException.class)
        .hasMessageContaining("File");
  }

  @Test
  void messagesNameTheLine() {
    assertThatThrownBy(() -> render("a\n\n{% if n %}\n{{ nope.x }}\n{% endif %}"))
        .hasMessage("[evil.jinja:4] chat template: 'nope' is undefined");
    assertThatThrownBy(() -> render("a\n{{ 'b' }}\n{% bogus %}"))
        .hasMessage("[evil.jinja:3] chat template: unknown tag 'bogus'");
    assertThatThrownBy(() -> render("a\n{% if n %}\n"))
        .hasMessageStartingWith("[evil.jinja:")
        .hasMessageContaining("does not end");
  }
}
