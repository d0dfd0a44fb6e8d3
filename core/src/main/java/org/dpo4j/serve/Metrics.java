package org.dpo4j.serve;

import java.util.Map;
import java.util.TreeMap;
import org.dpo4j.generate.ModelThread;

/** Counts since the start, as text for Prometheus. */
final class Metrics {

  private final Map<String, Long> requests = new TreeMap<>(); // by labels
  private double seconds;
  private long answered;
  private double firstTokenSeconds;
  private long firstTokens;

  synchronized void request(String path, int status) {
    requests.merge("path=\"%s\",status=\"%d\"".formatted(path, status), 1L, Long::sum);
  }

  synchronized void firstToken(double after) {
    firstTokens++;
    firstTokenSeconds += after;
  }

  synchronized void answered(double after) {
    answered++;
    seconds += after;
  }

  synchronized String text(ModelThread.Load load) {
    StringBuilder text = new StringBuilder();
    head(text, "dpo4j_requests_total", "counter", "HTTP requests that were answered");
    requests.forEach((labels, count) -> line(text, "dpo4j_requests_total{" + labels + "}", count));
    gauge(text, "dpo4j_requests_waiting", "Requests in the queue", load.waiting());
    gauge(text, "dpo4j_answers_running", "Answers that are generated", load.running());
    counter(text, "dpo4j_prompt_tokens_total", "Tokens of prompts", load.promptTokens());
    counter(text, "dpo4j_generated_tokens_total", "Generated tokens", load.tokens());
    head(text, "dpo4j_first_token_seconds", "summary", "From the request to the first token");
    line(text, "dpo4j_first_token_seconds_sum", firstTokenSeconds);
    line(text, "dpo4j_first_token_seconds_count", firstTokens);
    head(text, "dpo4j_answer_seconds", "summary", "From the request to the end of its answers");
    line(text, "dpo4j_answer_seconds_sum", seconds);
    line(text, "dpo4j_answer_seconds_count", answered);
    return text.toString();
  }

  private static void gauge(StringBuilder text, String name, String help, long value) {
    head(text, name, "gauge", help);
    line(text, name, value);
  }

  private static void counter(StringBuilder text, String name, String help, long value) {
    head(text, name, "counter", help);
    line(text, name, value);
  }

  private static void head(StringBuilder text, String name, String type, String help) {
    text.append("# HELP %s %s\n# TYPE %s %s\n".formatted(name, help, name, type));
  }

  private static void line(StringBuilder text, String name, Number value) {
    text.append(name).append(' ').append(value).append('\n');
  }
}
