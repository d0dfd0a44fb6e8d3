package org.dpo4j.config;

/**
 * The values of the option {@code report_to}: the trackers whose files a run writes. What it
 * answers to transformers' other trackers is in {@code trl-options.txt}.
 */
enum Tracker {
  NONE,
  TENSORBOARD
}
