package org.dpo4j.report;

/**
 * A chart by itself.
 *
 * @param words its title and last values, for readers who do not see it
 */
public record Chart(Picture picture, String words) {

  /**
   * Draws a panel over the steps of a run.
   *
   * @param stepsPerEpoch steps between the vertical lines; 0 for none
   */
  static Chart of(Panel panel, double stepsPerEpoch) {
    return new Chart(PanelGrid.draw(panel, "step", stepsPerEpoch), panel.lastValues());
  }
}
